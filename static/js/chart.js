// Draws <figure data-chart="id"> from the Vega-Lite specification in <script type="application/json" id="id">.
// Its colours are names of the page's tokens, so a chart follows the theme; `ast` keeps it free of eval.
const probe = document.createElement("span");
probe.hidden = true;
document.body.append(probe);

function colour(token) {
  probe.style.color = `var(--${token})`;
  return getComputedStyle(probe).color;
}

const WORDS = new Set(["data", "datasets", "domain", "sort", "description"]);

// "var(--ink)" anywhere in a specification but in what people wrote: evalapp/charts/theme.py does the same.
function resolved(value) {
  if (Array.isArray(value)) return value.map(resolved);
  if (value && typeof value === "object") {
    const entries = Object.entries(value).map(([key, each]) => {
      const isWords = WORDS.has(key) || (key === "title" && typeof each === "string");
      return [key, isWords ? each : resolved(each)];
    });
    return Object.fromEntries(entries);
  }
  const token = typeof value === "string" && /^var\(--([\w-]+)\)$/.exec(value)?.[1];
  if (!token) return value;
  return token === "font" ? getComputedStyle(document.body).fontFamily : colour(token);
}

async function draw(figure) {
  const source = document.getElementById(figure.dataset.chart);
  const drawing = figure.querySelector(".chart-drawing");
  // What is folded has no width yet; unfolding it draws it.
  if (!source || !drawing || !window.vegaEmbed || !figure.checkVisibility()) return;
  drawing.hidden = false;
  const specification = resolved(JSON.parse(source.textContent));
  try {
    figure.view?.finalize();
    const result = await window.vegaEmbed(drawing, specification, {
      mode: "vega-lite",
      renderer: "svg",
      ast: true,
      actions: false,
      defaultStyle: false,
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

function drawIn(part) {
  for (const figure of part.querySelectorAll("figure[data-chart]")) draw(figure);
}

function drawAll() {
  drawIn(document);
}

drawAll();
document.addEventListener("evalapp:theme", drawAll);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
document.addEventListener("htmx:afterSettle", (event) => drawIn(event.target));
document.addEventListener("toggle", (event) => drawIn(event.target), { capture: true });
