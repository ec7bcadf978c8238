"""Open points of the demonstration: remaining tasks, as a note, a formal phrase and an instruction."""

from evalapp.demo.vocabulary import OpenPoint

OPEN_POINTS = (
    OpenPoint(
        "could save {sum} a month",
        (
            "an increase of the periodic contribution to {sum} per month",
            "an upward adjustment of monthly contributions to {sum}",
        ),
        (
            "raise your monthly saving to {sum}",
            "set your standing order to {sum} a month",
            "pay in {sum} every month from now on",
        ),
    ),
    OpenPoint(
        "cash should be {share}%",
        (
            "a reduction of liquidity to {share}%",
            "the deployment of liquidity in excess of {share}%",
        ),
        (
            "bring your cash down to {share}%",
            "invest the cash you hold above {share}%",
            "keep {share}% in cash and invest the rest",
        ),
    ),
    OpenPoint(
        "risk questionnaire due in {month}",
        (
            "completion of the suitability questionnaire by {month}",
            "the renewal of the suitability assessment in {month}",
        ),
        (
            "fill in the risk questionnaire by {month}",
            "answer our risk questions before {month} ends",
            "send back the risk questionnaire in {month}",
        ),
    ),
    OpenPoint(
        "no beneficiary named",
        (
            "the designation of a beneficiary",
            "formal nomination of a beneficiary",
        ),
        (
            "tell us who should inherit this money",
            "sign the form that names who gets the money",
            "write down who should receive the money after you",
        ),
    ),
    OpenPoint(
        "tax allowance of {sum} not used",
        (
            "utilisation of the remaining tax allowance of {sum}",
            "the full utilisation of the fiscal allowance of {sum}",
        ),
        (
            "use your tax allowance of {sum}",
            "pay in {sum} to use up your tax allowance",
            "claim the tax allowance of {sum} that is still open",
        ),
    ),
    OpenPoint(
        "review meeting in {month}",
        (
            "the scheduling of a periodic review in {month}",
            "attendance at a periodic review in {month}",
        ),
        (
            "book a talk with us in {month}",
            "pick a day in {month} for our talk",
            "call us to fix a meeting in {month}",
        ),
    ),
    OpenPoint(
        "a fund closes in {month}",
        (
            "substitution of the terminating fund prior to {month}",
            "the selection of a replacement vehicle prior to {month}",
        ),
        (
            "choose a new fund before {month}",
            "tell us before {month} which fund you want instead",
            "swap the closing fund for a new one by {month}",
        ),
    ),
    OpenPoint(
        "savings plan is paused",
        (
            "reactivation of the suspended contribution plan",
            "the resumption of suspended contributions",
        ),
        (
            "switch your savings plan back on",
            "start your paused savings plan again",
            "restart the monthly payments in the app",
        ),
    ),
    OpenPoint(
        "expects {sum} in {month}",
        (
            "the investment of the anticipated inflow of {sum} in {month}",
            "strategic deployment of {sum} anticipated in {month}",
        ),
        (
            "call us in {month} when the {sum} arrives",
            "decide with us where the {sum} goes in {month}",
            "put the {sum} that comes in {month} into the plan",
        ),
    ),
    OpenPoint(
        "no reserve, {sum} advised",
        (
            "the establishment of a contingency reserve of {sum}",
            "provision of a liquidity reserve of {sum}",
        ),
        (
            "set {sum} aside for bad days",
            "build up a reserve of {sum} first",
            "keep {sum} in a savings account as a reserve",
        ),
    ),
    OpenPoint(
        "bond of {sum} ends in {month}",
        (
            "reinvestment of {sum} upon maturity in {month}",
            "the reinvestment of maturing proceeds of {sum} in {month}",
        ),
        (
            "choose what to do with the {sum} you get back in {month}",
            "tell us by {month} where to invest the {sum}",
            "put the {sum} to work again in {month}",
        ),
    ),
    OpenPoint(
        "passport copy out of date",
        (
            "submission of a current identification document",
            "the renewal of identification documentation",
        ),
        (
            "send us a copy of your new passport",
            "upload a photo of your passport",
            "bring your passport to the branch",
        ),
    ),
    OpenPoint(
        "cheaper fund class saves {share}% a year",
        (
            "conversion to the cost-efficient share class, yielding savings of {share}% per annum",
            "migration to an alternative share class with a cost advantage of {share}%",
        ),
        (
            "switch to the cheaper fund class and save {share}% a year",
            "sign the switch that saves you {share}% a year",
            "say yes to the cheaper version, which saves {share}% a year",
        ),
    ),
    OpenPoint(
        "largest fund should stay under {share}%",
        (
            "a limitation of the principal position to {share}%",
            "mitigation of concentration risk beyond {share}%",
        ),
        (
            "cut your biggest fund to under {share}%",
            "sell some of your biggest fund until it is under {share}%",
            "spread your biggest fund so that it stays under {share}%",
        ),
    ),
    OpenPoint(
        "pension statement missing",
        (
            "provision of the current pension statement",
            "the submission of pension documentation",
        ),
        (
            "send us your latest pension letter",
            "take a photo of your pension letter and send it",
            "ask your pension office for a new letter",
        ),
    ),
    OpenPoint(
        "no power of attorney",
        (
            "the granting of a power of attorney",
            "execution of a power of attorney",
        ),
        (
            "name a person who may act for you",
            "sign a paper that lets someone you trust act for you",
            "choose someone you trust to sign for you",
        ),
    ),
    OpenPoint(
        "payouts are not reinvested",
        (
            "the reinvestment of distributions",
            "automatic reinvestment of accrued distributions",
        ),
        (
            "have your payouts invested again",
            "tick the box that puts payouts back to work",
            "switch payouts to reinvest in the app",
        ),
    ),
    OpenPoint(
        "mortgage rate ends in {month}",
        (
            "renegotiation of mortgage conditions prior to {month}",
            "an evaluation of refinancing alternatives prior to {month}",
        ),
        (
            "compare mortgage offers before {month}",
            "ask your bank for a new mortgage rate by {month}",
            "talk to us about the mortgage before {month}",
        ),
    ),
    OpenPoint(
        "green preferences not recorded",
        (
            "documentation of sustainability preferences",
            "the formal recording of sustainability preferences",
        ),
        (
            "tell us how green your money should be",
            "answer our short questions about green funds",
            "say whether you want green funds only",
        ),
    ),
    OpenPoint(
        "moved abroad, tax form missing",
        (
            "submission of the fiscal residency declaration",
            "the declaration of the revised fiscal domicile",
        ),
        (
            "sign the tax form for your new country",
            "send us your new address and tax number",
            "fill in the tax form with your new address",
        ),
    ),
    OpenPoint(
        "loan of {sum} could be repaid",
        (
            "redemption of the outstanding liability of {sum}",
            "the early redemption of a liability of {sum}",
        ),
        (
            "pay off the loan of {sum}",
            "use spare cash to pay back the {sum} loan",
            "clear your loan of {sum} first",
        ),
    ),
    OpenPoint(
        "bonds should be {share}%",
        (
            "a rebalancing of fixed income to {share}%",
            "adjustment of the fixed income component to {share}%",
        ),
        (
            "bring your bonds to {share}%",
            "change your bonds to {share}%",
            "say yes to holding {share}% in bonds",
        ),
    ),
    OpenPoint(
        "saving date is after rent day",
        (
            "an alteration of the contribution date",
            "a synchronisation of the contribution date with salary receipt",
        ),
        (
            "move your saving day to payday",
            "set the payment to the day your pay comes in",
            "change the saving date in the app",
        ),
    ),
    OpenPoint(
        "joint account wanted",
        (
            "conversion to a joint account arrangement",
            "the establishment of a joint account",
        ),
        (
            "come to the branch together and open the joint account",
            "both sign the form for the joint account",
            "send us both signatures for the joint account",
        ),
    ),
)
