"""Market remarks of the demonstration, each as a note, in formal words and in plain words."""

from evalapp.demo.vocabulary import Remark

MARKET_REMARKS = (
    Remark(
        "shares rose on good company profits",
        (
            "Equities appreciated in consequence of robust corporate earnings",
            "Robust corporate earnings lent support to equities",
        ),
        ("Share prices rose because firms earned well", "Good company profits lifted share prices"),
    ),
    Remark(
        "shares fell on fear of a slowdown",
        (
            "Equities declined amid heightened recessionary concerns",
            "Recessionary concerns weighed upon equities",
        ),
        ("Share prices fell because people fear a slowdown", "Fear of a slowdown pulled share prices down"),
    ),
    Remark(
        "bond prices recovered",
        (
            "Fixed income instruments exhibited a recovery",
            "A recovery was observed in fixed income instruments",
        ),
        ("Bonds gained back what they had lost", "Bond prices have come back up"),
    ),
    Remark(
        "interest rates were cut",
        (
            "Monetary authorities implemented a reduction of policy rates",
            "A reduction of policy rates was implemented by monetary authorities",
        ),
        ("Interest rates were cut, so cash earns less", "Your cash earns less since interest rates were cut"),
    ),
    Remark(
        "interest rates went up",
        (
            "Policy rates were subject to further increases",
            "Further increases of policy rates were recorded",
        ),
        ("Interest rates went up, which is good for savers", "Savers earn more since interest rates went up"),
    ),
    Remark(
        "prices in shops rise more slowly",
        (
            "Inflationary pressures have moderated",
            "A moderation of inflationary pressures was observed",
        ),
        ("Prices in the shops rise more slowly now", "The cost of living is rising more slowly"),
    ),
    Remark(
        "prices in shops rise faster",
        (
            "Inflationary pressures have intensified",
            "An intensification of inflationary pressures was observed",
        ),
        ("Prices in the shops rise faster again", "The cost of living is rising faster again"),
    ),
    Remark(
        "technology shares swung widely",
        (
            "Technology equities exhibited elevated volatility",
            "Elevated volatility characterised technology equities",
        ),
        ("Technology shares went up and down a lot", "It was a bumpy time for technology shares"),
    ),
    Remark(
        "house prices eased",
        (
            "Real estate valuations have moderated",
            "A moderation of real estate valuations was recorded",
        ),
        ("House prices came down a little", "Homes have become a little cheaper"),
    ),
    Remark(
        "oil became dearer",
        (
            "Energy commodities appreciated markedly",
            "A marked appreciation of energy commodities was recorded",
        ),
        ("Oil became dearer, and petrol with it", "Oil costs more than it did"),
    ),
    Remark(
        "the dollar weakened",
        (
            "The US dollar depreciated against principal currencies",
            "Depreciation of the US dollar affected foreign holdings",
        ),
        (
            "The dollar lost ground, so foreign shares are worth less here",
            "A weaker dollar cost you a little",
        ),
    ),
    Remark(
        "markets were calm",
        (
            "Capital markets were characterised by subdued volatility",
            "Subdued volatility prevailed across capital markets",
        ),
        ("Markets were quiet", "Nothing much happened on the markets"),
    ),
    Remark(
        "small firms did better than large ones",
        (
            "Smaller capitalisations outperformed their larger counterparts",
            "Outperformance of smaller capitalisations was recorded",
        ),
        ("Small firms did better than big ones", "This time the small firms won"),
    ),
    Remark(
        "health shares led the market",
        (
            "Healthcare constituted the leading sector",
            "Sector leadership was assumed by healthcare",
        ),
        ("Health firms did best of all", "The best shares were those of health firms"),
    ),
    Remark(
        "elections made markets nervous",
        (
            "Political uncertainty occasioned elevated volatility",
            "Electoral events contributed to elevated volatility",
        ),
        ("Elections made markets nervous", "Markets were uneasy about the elections"),
    ),
    Remark(
        "gold reached a high",
        (
            "Precious metals attained elevated valuations",
            "Elevated valuations were attained by precious metals",
        ),
        ("Gold has never cost more", "Gold reached a new high"),
    ),
)
