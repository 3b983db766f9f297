"use strict";
// Shows the curves that Python computed; a function's parameters choose among them.

(async () => {
  const data = page.json("data");
  const [plots, numbers, rowNumbers] = await Promise.all([
    page.draw(data.plots), page.unpacked(data.curves), page.unpacked(data.rows),
  ]);
  const catalogue = new Map(data.catalogue.map((each) => [each.name, each]));
  const model = (name) => plots.get_model_by_name(name);
  const element = (id) => document.getElementById(id);
  const texts = () => data.texts[page.language()];

  /** What is shown: names in the order in which they were picked, each with the slot that has its colour. */
  const state = { picked: new Map(), values: new Map(), x: 1, reach: 5, shaded: null };

  // ---- numbers

  /** Each parameter's value by its place among the slider's. */
  function places(name) {
    if (!state.values.has(name)) state.values.set(name, [...catalogue.get(name).defaults]);
    return state.values.get(name);
  }

  function curve(name) {
    const lists = Object.values(catalogue.get(name).parameters);
    const index = places(name).reduce((sum, place, at) => sum * lists[at].length + place, 0);
    const [start, length, zones] = catalogue.get(name).curves[index];
    const part = (at) => numbers.subarray(start + at * length, start + (at + 1) * length);
    return { x: part(0), f: part(1), slope: part(2), zones };
  }

  /** Where x is in the curve: the nearest point, looked for from a point on that is not beyond it. */
  function nearest(found, x, from = 0) {
    let best = from;
    for (let at = from + 1; at < found.x.length && !(found.x[at - 1] > x); at++) {
      if (Math.abs(found.x[at] - x) < Math.abs(found.x[best] - x)) best = at;
    }
    return best;
  }

  const shown = (value, digits = 4) => (Number.isNaN(value) ? texts().no_slope : unsigned(value.toFixed(digits)));
  const unsigned = (text) => (/^-0(\.0*)?$/.test(text) ? text.slice(1) : text).replace("-", "\u2212");

  // ---- pictures

  function draw() {
    const slots = [...state.picked];
    const free = new Set(data.styles.keys());
    const limits = { f: [-1.2, 1.2], slope: [-0.2, 1.2] };
    for (const [name, slot] of slots) {
      free.delete(slot);
      const found = curve(name);
      const { length } = found.x;
      model(`curve-${slot}`).data = {
        x: found.x, f: found.f, slope: found.slope,
      };
      for (let at = 0; at < length; at++) {
        if (Math.abs(found.x[at]) > state.reach) continue;
        for (const part of ["f", "slope"]) {
          if (found[part][at] < limits[part][0]) limits[part][0] = Math.max(found[part][at], -state.reach);
          if (found[part][at] > limits[part][1]) limits[part][1] = Math.min(found[part][at], state.reach);
        }
      }
    }
    for (const slot of free) model(`curve-${slot}`).data = { x: [], f: [], slope: [] };
    model("x-range").setv({ start: -state.reach, end: state.reach });
    for (const [part, [low, high]] of Object.entries(limits)) {
      const margin = (high - low) / 25;
      model(`${part}-range`).setv({ start: low - margin, end: high + margin });
    }
    model("tips").data = tips();
    shade();
  }

  /** What is shown beside the mouse: at every point of the first curve the values of all. */
  function tips() {
    const curves = [...state.picked].map(([name, slot]) => [name, slot, curve(name)]);
    const x = curves.length ? curves[0][2].x.filter((each) => !Number.isNaN(each)) : [];
    const places = curves.map(() => 0);
    const narrow = window.matchMedia("(max-width: 30rem)").matches; // the tip must fit beside the finger
    const style = narrow ? `${data.tip};font-size:11px;border-spacing:5px 0` : data.tip;
    const text = Array.from(x, (each) => {
      const rows = curves.map(([name, slot, found], which) => {
        const at = places[which] = nearest(found, each, places[which]);
        const [f, slope] = [found.f[at], found.slope[at]].map((value) => escaped(shown(value, narrow ? 2 : 4)));
        return `<tr><th style="text-align:left">${page.line(data.styles[slot]).innerHTML} ${escaped(name)}</th><td>${f}</td><td>${slope}</td></tr>`;
      });
      const head = `<tr><th style="text-align:left">x = ${unsigned(each.toFixed(2))}</th><td>f(x)</td><td>f\u2032(x)</td></tr>`;
      return `<table class="tip" style="${style}">${head}${rows.join("")}</table>`;
    });
    return { x, y: new Float32Array(x.length), text };
  }

  function escaped(text) {
    const box = document.createElement("span");
    box.textContent = text;
    return box.innerHTML;
  }

  function shade() {
    const name = state.shaded;
    const zones = name ? curve(name).zones : [];
    const pairs = zones.filter((_, at) => at % 2 === 0).map((low, at) => [low, zones[2 * at + 1]]);
    model("zones").data = { x0: pairs.map((each) => each[0]), x1: pairs.map((each) => each[1]) };
    element("shaded").hidden = !name || !catalogue.get(name).differentiable;
    const words = pairs.map(([low, high]) => page.filled(texts().zone, {
      low: unsigned(String(+low.toFixed(1))), high: unsigned(String(+high.toFixed(1))),
    }));
    element("shaded-text").textContent = page.filled(pairs.length ? texts().zones : texts().no_zones, {
      name, zones: words.join(texts().and),
    });
    document.querySelector(".swatch").hidden = !pairs.length;
  }

  // ---- tables

  function cell(row, tag, text, className) {
    const made = document.createElement(tag);
    made.textContent = text;
    if (className) made.className = className;
    if (tag === "th") made.scope = "row";
    row.append(made);
    return made;
  }

  /** One row for each picked function, made anew. */
  function tabulate() {
    const body = element("readout").tBodies[0];
    body.replaceChildren();
    for (const [name, slot] of state.picked) {
      const row = document.createElement("tr");
      row.dataset.name = name;
      const head = cell(row, "th", name);
      head.prepend(page.line(data.styles[slot]));
      cell(row, "td", "", "figure");
      cell(row, "td", "", "figure");
      const last = cell(row, "td", "", "actions");
      const label = document.createElement("label");
      const radio = Object.assign(document.createElement("input"), { type: "radio", name: "shaded", value: name });
      radio.checked = name === state.shaded;
      radio.disabled = !catalogue.get(name).differentiable;
      radio.setAttribute("aria-label", page.filled(texts().shade, { name }));
      label.append(radio);
      last.append(label);
      const remove = Object.assign(document.createElement("button"), { type: "button", textContent: "\u00d7" });
      remove.dataset.remove = name;
      remove.setAttribute("aria-label", page.filled(texts().remove, { name }));
      cell(row, "td", "", "actions").append(remove);
      body.append(row);
    }
    for (const id of ["figures-f", "figures-slope"]) {
      element(id).tBodies[0].replaceChildren(...[...state.picked.keys()].map((name) => {
        const row = document.createElement("tr");
        row.dataset.name = name;
        cell(row, "th", name);
        for (let at = 0; at < 5; at++) cell(row, "td", "", "figure");
        return row;
      }));
    }
    for (const id of ["readout", "figures-f", "figures-slope"]) page.unsorted(element(id));
    read();
    figures();
  }

  /** The values at x, in the rows as they stand. */
  function read() {
    element("x-value").textContent = unsigned(state.x.toFixed(1));
    for (const part of ["f", "slope"]) model(`mark-${part}`).location = state.x;
    for (const row of element("readout").tBodies[0].rows) {
      const found = curve(row.dataset.name);
      const at = nearest(found, state.x);
      row.cells[1].textContent = shown(found.f[at]);
      row.cells[2].textContent = shown(found.slope[at]);
    }
  }

  function figures() {
    for (const [id, part] of [["figures-f", "f"], ["figures-slope", "slope"]]) {
      for (const row of element(id).tBodies[0].rows) {
        const found = curve(row.dataset.name);
        [-2, -1, 0, 1, 2].forEach((x, at) => {
          row.cells[at + 1].textContent = shown(found[part][nearest(found, x)], 3);
        });
      }
    }
  }

  // ---- controls

  /** Pick a function, or put it back. */
  function pick(name, wanted) {
    if (!wanted) state.picked.delete(name);
    else if (!state.picked.has(name) && state.picked.size < data.most) {
      const used = new Set(state.picked.values());
      state.picked.set(name, [...data.styles.keys()].find((slot) => !used.has(slot)));
    }
    if (!state.picked.has(state.shaded)) state.shaded = [...state.picked.keys()].find((each) => catalogue.get(each).differentiable) || null;
  }

  function show() {
    for (const box of document.querySelectorAll("input[name=function]")) {
      box.checked = state.picked.has(box.value);
      box.disabled = !box.checked && state.picked.size >= data.most;
    }
    for (const block of document.querySelectorAll("[data-function]")) {
      block.hidden = !state.picked.has(block.dataset.function);
    }
    for (const name of state.picked.keys()) {
      for (const block of document.querySelectorAll(`[data-function="${CSS.escape(name)}"]`)) block.parentElement.append(block);
    }
    element("parameters").hidden = ![...state.picked.keys()].some((name) => catalogue.get(name).defaults.length);
    for (const name of state.picked.keys()) sliders(name);
    element("x").value = state.x;
    for (const radio of document.querySelectorAll("input[name=reach]")) radio.checked = Number(radio.value) === state.reach;
    draw();
    tabulate();
  }

  function sliders(name) {
    Object.entries(catalogue.get(name).parameters).forEach(([parameter, values], at) => {
      const slider = element(`${name}.${parameter}`);
      slider.value = places(name)[at];
      slider.setAttribute("aria-valuetext", String(values[places(name)[at]]));
      slider.parentElement.querySelector("output").textContent = unsigned(String(+values[places(name)[at]].toFixed(4)));
    });
  }

  // ---- the address

  function remember() {
    page.set("f", [...state.picked.keys()].join(","));
    page.set("x", state.x);
    page.set("reach", state.reach);
    page.set("shade", state.shaded);
    for (const [name, { parameters, defaults }] of catalogue) {
      Object.entries(parameters).forEach(([parameter, values], at) => {
        const place = places(name)[at];
        page.set(`${name}.${parameter}`, state.picked.has(name) && place !== defaults[at] ? values[place] : null);
      });
    }
  }

  function restore() {
    const wanted = page.settings.has("f") ? page.settings.get("f").split(",") : data.first.f;
    state.picked.clear();
    state.values.clear();
    for (const name of wanted) if (catalogue.has(name)) pick(name, true);
    const x = Number(page.settings.get("x") ?? data.first.x);
    state.x = Math.abs(x) <= 10 ? Math.round(x * 10) / 10 : data.first.x;
    const reach = Number(page.settings.get("reach"));
    state.reach = document.querySelector(`input[name=reach][value="${reach}"]`) ? reach : data.first.reach;
    if (state.picked.has(page.settings.get("shade"))) state.shaded = page.settings.get("shade");
    for (const [name, { parameters }] of catalogue) {
      Object.entries(parameters).forEach(([parameter, values], at) => {
        const value = parseFloat(page.settings.get(`${name}.${parameter}`));
        if (!Number.isNaN(value)) places(name)[at] = nearest({ x: values }, value);
      });
    }
    show();
  }

  document.addEventListener("change", ({ target }) => {
    if (target.name === "function") pick(target.value, target.checked);
    else if (target.name === "shaded") state.shaded = target.value;
    else if (target.name === "reach") state.reach = Number(target.value);
    if (target.name === "function") show();
    else if (target.name === "shaded") shade();
    else if (target.name === "reach") draw();
    if (target.id !== "search" && target.id !== "logit") remember();
  });

  document.addEventListener("input", ({ target }) => {
    const owner = target.closest("[data-function]");
    if (target.id === "x") {
      state.x = Number(target.value);
      read();
      page.unsorted(element("readout"));
    } else if (target.id === "search") search(target.value);
    else if (target.id === "logit") row(Number(target.value));
    else if (owner && target.type === "range") {
      const name = owner.dataset.function;
      const at = [...owner.querySelectorAll("input")].indexOf(target);
      places(name)[at] = Number(target.value);
      sliders(name);
      draw();
      read();
      figures();
      for (const id of ["readout", "figures-f", "figures-slope"]) page.unsorted(element(id));
    }
  });

  document.addEventListener("click", ({ target }) => {
    const set = target.closest("[data-set]");
    if (set) {
      const kept = [...page.settings].filter(([name]) => name === "language");
      page.settings = new Map([...kept, ...new URLSearchParams(set.dataset.set)]);
      restore();
      remember();
    }
    const { remove } = target.dataset;
    if (!remove) return;
    pick(remove, false);
    show();
    remember();
    (document.querySelector("[data-remove]") || element("search")).focus();
  });

  function search(text) {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    let any = false;
    for (const family of document.querySelectorAll(".families fieldset")) {
      let some = false;
      for (const label of family.querySelectorAll("label")) {
        label.hidden = !words.every((word) => label.dataset.words.includes(word));
        some ||= !label.hidden;
      }
      family.hidden = !some;
      any ||= some;
    }
    element("nothing").hidden = any;
  }

  /** The outputs of functions of a whole row, for this place of the first input. */
  function row(place) {
    const table = element("outputs");
    const { rows } = table.tBodies[0];
    const columns = rows[0].cells.length - 1;
    const size = rows.length * columns;
    element("logit-value").textContent = unsigned(data.logits[place].toFixed(1));
    [...rows].forEach((each) => {
      const at = Number(each.dataset.at);
      if (at === 0) each.cells[0].textContent = unsigned(data.logits[place].toFixed(1));
      for (let column = 0; column < columns; column++) {
        each.cells[column + 1].textContent = shown(rowNumbers[place * size + at * columns + column], 3);
      }
    });
    page.unsorted(table);
  }

  [...element("outputs").tBodies[0].rows].forEach((each, at) => { each.dataset.at = at; });
  element("logit").setAttribute("aria-valuetext", "2.0");
  page.onLanguage.push(() => { tabulate(); shade(); });
  page.onAddress.push(restore);
  element("pick").open = window.matchMedia("(min-width: 60rem)").matches;
  restore();
  row(Number(element("logit").value));
  page.ready();
})();
