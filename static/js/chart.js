// Draws <figure data-chart="id"> from the Vega-Lite specification in <script type="application/json" id="id">.
// Colours come from the page's tokens, so a chart follows the theme; `ast` keeps it free of eval.
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

function colour(token) {
  probe.style.color = `var(--${token})`;
  return getComputedStyle(probe).color;
}

function range(name, count) {
  return Array.from({ length: count }, (_, index) => colour(`${name}-${index + 1}`));
}

// The shapes of components/candidate.html, in the same order.
const SHAPES = [
  "circle",
  "square",
  "triangle-up",
  "diamond",
  "triangle-down",
  "cross",
  "M-0.5,-0.9L0.5,-0.9L1,0L0.5,0.9L-0.5,0.9L-1,0Z",
  "M0,-1L0.25,-0.35L0.95,-0.3L0.4,0.15L0.6,0.85L0,0.45L-0.6,0.85L-0.4,0.15L-0.95,-0.3L-0.25,-0.35Z",
];

function config() {
  const ink = colour("ink");
  const soft = colour("ink-soft");
  const rule = colour("rule");
  const font = getComputedStyle(document.body).fontFamily;
  const ratings = range("rating", 5);
  return {
    background: "transparent",
    font,
    view: { stroke: null },
    axis: {
      domainColor: rule,
      gridColor: rule,
      tickColor: rule,
      labelColor: soft,
      titleColor: soft,
      labelFontSize: 12,
      titleFontSize: 12,
      titleFontWeight: 400,
    },
    legend: {
      labelColor: ink,
      titleColor: soft,
      labelFontSize: 12,
      titleFontSize: 12,
      titleFontWeight: 400,
      symbolBaseFillColor: soft,
      symbolBaseStrokeColor: soft,
    },
    header: { labelColor: ink, titleColor: soft, labelFontSize: 12, titleFontSize: 12, titleFontWeight: 400 },
    title: { color: ink, fontSize: 13, fontWeight: 600, anchor: "start" },
    text: { color: ink, fontSize: 12 },
    rule: { color: soft },
    point: { size: 60, filled: true },
    range: { category: range("candidate", 8), symbol: SHAPES, ordinal: ratings, diverging: ratings },
  };
}

async function draw(figure) {
  const source = document.getElementById(figure.dataset.chart);
  const drawing = figure.querySelector(".chart-drawing");
  if (!source || !drawing || !window.vegaEmbed) return;
  drawing.hidden = false;
  const specification = JSON.parse(source.textContent);
  // The page's tokens win over what the server's own renderings need.
  delete specification.config;
  try {
    figure.view?.finalize();
    const result = await window.vegaEmbed(drawing, specification, {
      mode: "vega-lite",
      renderer: "svg",
      ast: true,
      actions: false,
      defaultStyle: false,
      config: config(),
      tooltip: { disableDefaultStyle: true, theme: "evalapp" },
      loader: { target: "_self", rel: null },
    });
    figure.view = result.view;
  } catch (error) {
    drawing.hidden = true;
    figure.querySelector("details")?.setAttribute("open", "");
    console.error("The chart could not be drawn; its figures are in the table.", error);
  }
}

function drawAll() {
  for (const figure of document.querySelectorAll("figure[data-chart]")) draw(figure);
}

drawAll();
document.addEventListener("evalapp:theme", drawAll);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
document.addEventListener("htmx:afterSettle", (event) => {
  for (const figure of event.target.querySelectorAll("figure[data-chart]")) draw(figure);
});
