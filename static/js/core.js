// What every page has; one behaviour a module.
import "./theme-switch.js";
import "./dialogs.js";
import "./copy.js";
import "./rows.js";
import "./scrolling-tables.js";
import "./short-url.js";
import "./relative-time.js";
