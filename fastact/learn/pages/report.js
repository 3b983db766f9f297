"use strict";
// Shows one of a panel's views, one of its frames, and those of its lines whose boxes are ticked.

(async () => {
  const data = page.json("data");
  const plots = await page.draw(data.plots);
  const model = (id) => plots.get_model_by_id(id);
  const calm = window.matchMedia("(prefers-reduced-motion: reduce)");

  class Panel {
    constructor(record) {
      Object.assign(this, record);
      this.element = document.getElementById(this.id);
      this.views = [...this.element.querySelectorAll("[data-view]")];
      this.slider = this.element.querySelector("input[type=range]");
      this.timer = null;
      for (const place of this.element.querySelectorAll("[data-line]")) {
        place.append(page.line(data.styles[place.dataset.line]));
      }
    }

    controls(kind) {
      return [...this.element.querySelectorAll(`[name="${this.id}.${kind}"]`)];
    }

    get view() {
      return this.controls("view").findIndex((each) => each.checked);
    }

    get step() {
      return this.slider ? Number(this.slider.value) : 0;
    }

    set step(place) {
      this.slider.value = place;
      this.show();
    }

    /** Show what the controls say. */
    show() {
      const view = Math.max(this.view, 0);
      if (this.views.length > 1) this.views.forEach((each, at) => { each.hidden = at !== view; });
      if (this.slider) {
        const text = String(this.steps[this.step]);
        this.slider.setAttribute("aria-valuetext", text);
        this.element.querySelector("output").textContent = text;
      }
      const frame = this.views.length > 1 ? this.step : view * Math.max(this.steps.length, 1) + this.step;
      for (const [id, property, values] of this.frames) {
        const found = model(id);
        if (property === "indices") found.indices = values[frame];
        else found.data = { ...found.data, [property]: values[frame].map((each) => (each === null ? NaN : each)) };
      }
      if (this.cells.length) this.fill(this.cells[this.step]);
      this.controls("line").forEach((box, at) => {
        for (const id of this.legend[at]) model(id).visible = box.checked;
      });
    }

    /** Write a step's figures into the table, whatever order its rows are in. */
    fill(cells) {
      const table = this.element.querySelector("table");
      this.rows ??= [...table.tBodies[0].rows];
      this.rows.forEach((row, at) => cells[at].forEach((text, column) => { row.cells[column + 1].textContent = text; }));
    }

    remember() {
      const hidden = this.controls("line").filter((each) => !each.checked).map((each) => each.value);
      page.set(`${this.id}.hidden`, hidden.length ? hidden.join(",") : null);
      page.set(`${this.id}.view`, this.view > 0 ? this.view : null);
      if (this.slider) page.set(`${this.id}.epoch`, this.step < this.steps.length - 1 ? this.steps[this.step] : null);
    }

    restore() {
      const setting = (kind) => page.settings.get(`${this.id}.${kind}`);
      const hidden = (setting("hidden") || "").split(",");
      for (const box of this.controls("line")) box.checked = !hidden.includes(box.value);
      const view = this.controls("view")[Number(setting("view") || 0)] || this.controls("view")[0];
      if (view) view.checked = true;
      if (this.slider) {
        const place = this.steps.indexOf(Number(setting("epoch") ?? NaN));
        this.slider.value = place < 0 ? this.steps.length - 1 : place;
      }
      this.show();
    }

    play(wanted) {
      clearInterval(this.timer);
      this.element.querySelector("[data-play]").setAttribute("aria-pressed", String(wanted));
      if (!wanted) return;
      if (this.step === this.steps.length - 1) this.step = 0;
      this.timer = setInterval(() => {
        this.step += 1;
        if (this.step === this.steps.length - 1) {
          this.play(false);
          this.remember();
        }
      }, calm.matches ? 1500 : 500);
    }
  }

  /** Fill in between the points at which Python asked the network. */
  function finer(image) {
    const [size] = image.shape;
    const most = 4 * size;
    const places = Array.from({ length: most }, (_, at) => {
      const place = ((at + 0.5) / most) * (size - 1);
      return [Math.floor(place), place % 1];
    });
    const mixed = new image.constructor(most * most, [most, most]);
    places.forEach(([row, down], y) => places.forEach(([column, right], x) => {
      const at = row * size + column;
      const upper = image[at] + right * (image[at + 1] - image[at]);
      const lower = image[at + size] + right * (image[at + size + 1] - image[at + size]);
      mixed[y * most + x] = Math.round(upper + down * (lower - upper));
    }));
    return mixed;
  }

  const panels = new Map(data.panels.map((each) => [each.id, new Panel(each)]));
  const owner = (target) => panels.get(target.closest(".panel")?.id);

  document.addEventListener("input", ({ target }) => owner(target)?.show());
  document.addEventListener("change", ({ target }) => {
    const panel = owner(target);
    panel?.show();
    panel?.remember();
  });
  document.addEventListener("click", ({ target }) => {
    const button = target.closest("button");
    const panel = button && owner(button);
    if (!panel) return;
    if ("play" in button.dataset) panel.play(button.getAttribute("aria-pressed") !== "true");
    else if (button.dataset.move) {
      panel.play(false);
      panel.step = Math.min(Math.max(panel.step + Number(button.dataset.move), 0), panel.steps.length - 1);
      panel.remember();
    }
  });

  /** Labels of axes and names of lines. */
  function speak(code) {
    for (const [id, texts] of data.axes) model(id).axis_label = texts[code];
    for (const [id, texts] of data.names) model(id).name = texts[code];
  }

  page.onLanguage.push(speak);
  page.onAddress.push(() => { for (const panel of panels.values()) panel.restore(); });
  speak(page.language());
  for (const panel of panels.values()) panel.restore();
  page.ready();
  for (const id of data.smooth) {
    setTimeout(() => { model(id).data = { image: model(id).data.image.map(finer) }; }); // takes a tenth of a second
  }
})();
