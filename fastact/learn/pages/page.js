"use strict";
// What all pages have: languages, tables that sort, and settings in the address.

const page = {
  /** Settings in the address, as text by name; those of the page's own kind are the page's business. */
  settings: new Map(),
  /** Called with the language whenever it changes. */
  onLanguage: [],
  /** Called when the address was changed by the reader, after `settings` were read from it. */
  onAddress: [],

  json(id) {
    return JSON.parse(document.getElementById(id).textContent);
  },

  language() {
    return document.documentElement.lang;
  },

  /** A text with its {names} filled in. */
  filled(text, values) {
    return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? values[name] : whole));
  },

  speak(code) {
    document.documentElement.lang = code;
    document.title = page.titles[code];
    for (const button of document.querySelectorAll("[data-language]")) {
      button.setAttribute("aria-pressed", String(button.dataset.language === code));
    }
    for (const listener of page.onLanguage) listener(code);
  },

  /** Put a setting into the address, without a step in the browser's history; null takes it out. */
  set(name, value) {
    if (value === null) page.settings.delete(name);
    else page.settings.set(name, String(value));
    clearTimeout(page.writing); // browsers allow only so many changes a second
    page.writing = setTimeout(page.write, 200);
  },

  write() {
    const text = [...page.settings].map((pair) => pair.map(page.escaped).join("=")).join("&");
    history.replaceState(null, "", `#${text}`);
  },

  escaped(text) {
    return encodeURIComponent(text).replace(/%2C/g, ",");
  },

  read() {
    page.settings.clear();
    for (const [name, value] of new URLSearchParams(location.hash.slice(1))) page.settings.set(name, value);
  },

  /** A piece of a line for a legend. */
  line({ colour, dash }) {
    const strokes = { solid: "none", dashed: "7 4", dashdot: "2 3 7 3", dotted: "2 3" };
    const box = document.createElement("span");
    box.className = "line";
    box.innerHTML = `<svg width="34" height="8" aria-hidden="true" focusable="false"><path d="M1 4H33" fill="none" ` +
      `stroke="${colour}" stroke-width="3" stroke-dasharray="${strokes[dash]}"/></svg>`;
    return box;
  },

  /** Put the models of Bokeh into their elements; resolves to the document that holds them. */
  async draw(plots) {
    await Bokeh.embed.embed_items(plots.docs, plots.items);
    return Bokeh.documents[Bokeh.documents.length - 1];
  },

  /** The page shows everything. */
  ready() {
    performance.mark("ready");
    document.documentElement.dataset.ready = "";
  },

  /** The numbers of base64 text: float32, compressed. */
  async unpacked(text) {
    const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    return new Float32Array(await new Response(stream).arrayBuffer());
  },
};

// ---- tables

/** The exponent in superscripts, as parseFloat reads it. */
function power(whole, raised) {
  return `e${Array.from(raised, (digit) => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻".indexOf(digit)).map((at) => (at === 10 ? "-" : at)).join("")}`;
}

/** What a cell is sorted by: its number if it begins with one, else its text in the language shown. */
function sortKey(cell) {
  const text = (cell.querySelector(`[lang="${page.language()}"]`) || cell).textContent.trim();
  const number = parseFloat(text.replace(/\u2212/g, "-").replace(/,/g, "").replace(/\u00d710([⁻⁰¹²³⁴-⁹]+)/, power));
  return Number.isNaN(number) ? text : number;
}

function compared(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  if (typeof a === "number") return -1;
  if (typeof b === "number") return 1;
  return a.localeCompare(b, page.language());
}

function sortBy(table, header) {
  const at = [...header.parentElement.children].indexOf(header);
  const direction = header.getAttribute("aria-sort") === "ascending" ? "descending" : "ascending";
  const sign = direction === "ascending" ? 1 : -1;
  const body = table.tBodies[0];
  const rows = [...body.rows].map((row) => [sortKey(row.cells[at]), row]);
  rows.sort((a, b) => sign * compared(a[0], b[0]));
  body.append(...rows.map(([, row]) => row));
  page.unsorted(table);
  header.setAttribute("aria-sort", direction);
}

/** Rows are in no known order any more. */
page.unsorted = (table) => {
  for (const header of table.tHead.rows[0].cells) header.removeAttribute("aria-sort");
};

// ---- what happens

page.titles = page.json("titles");
page.read();

document.addEventListener("click", (event) => {
  const header = event.target.closest("table.sortable thead th");
  if (header && event.target.closest("button")) sortBy(header.closest("table"), header);
  const choice = event.target.closest("[data-language]");
  if (choice) {
    page.speak(choice.dataset.language);
    page.set("language", choice.dataset.language);
  }
});

window.addEventListener("hashchange", () => {
  page.read();
  if (page.settings.get("language") in page.titles) page.speak(page.settings.get("language"));
  for (const listener of page.onAddress) listener();
});

if (page.settings.get("language") in page.titles) page.speak(page.settings.get("language"));
