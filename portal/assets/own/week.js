// Paints the week of a tariff: dragging over it writes the rows of prices below it, which are the form's truth. Without
// this script the rows are typed, and the server draws the week.
(() => {
  "use strict";
  const STEP = 5, CELLS = 24 * 60 / STEP, HOUR = 60 / STEP;
  const DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];
  const rows = document.querySelector("#windows tbody");
  const model = document.getElementById("window-row");
  const painter = document.getElementById("painter");
  const brushes = document.getElementById("brushes");
  if (!rows || !model || !painter || !brushes) return;
  const energy = document.getElementById("brush-energy");
  const time = document.getElementById("brush-time");

  const field = (row, name) => row.querySelector(`[name$="-${name}"]`);
  const base = name => (document.getElementById("f-" + name) || { value: "" }).value.trim();
  const number = text => /^\d+([.,]\d+)?$/.test(text.trim()) ? Number(text.trim().replace(",", ".")) : null;
  const clock = cell => { const m = cell * STEP; return String(Math.floor(m / 60)).padStart(2, "0") + ":" + String(m % 60).padStart(2, "0"); };

  function minute(text, otherwise) {
    const found = /^(\d{1,2})(?::(\d{2}))?$/.exec(text.trim());
    if (!found) return otherwise;
    return Math.min(Math.round((Number(found[1]) * 60 + Number(found[2] || 0)) / STEP), CELLS);
  }

  // What each five minutes cost: the first row that holds decides, as on the server. null is "at all other times".
  function read() {
    const grid = DAYS.map(() => new Array(CELLS).fill(undefined));
    for (const row of rows.rows) {
      const price = { energy: field(row, "energy").value.trim(), time: field(row, "time").value.trim() };
      if (!price.energy && !price.time) continue;
      const from = minute(field(row, "from").value, 0), to = minute(field(row, "to").value, CELLS);
      const ticked = [...row.querySelectorAll("[type=checkbox]:checked")].map(box => DAYS.indexOf(box.value));
      for (const day of ticked.length ? ticked : DAYS.keys()) {
        for (let cell = 0; cell < CELLS; cell++) {
          const holds = from <= to ? cell >= from && cell < to : cell >= from || cell < to;
          if (holds && grid[day][cell] === undefined) grid[day][cell] = price.energy + "|" + price.time;
        }
      }
    }
    return grid.map(day => day.map(cell => cell === undefined ? null : cell));
  }

  // The fewest rows that say the same: equal spans of several days are one, and what goes on after midnight too.
  function compile(grid) {
    const spans = new Map();
    grid.forEach((cells, day) => {
      let from = 0;
      for (let cell = 1; cell <= CELLS; cell++) {
        if (cell < CELLS && cells[cell] === cells[from]) continue;
        if (cells[from] !== null) {
          const key = [cells[from], from, cell].join("/");
          if (!spans.has(key)) spans.set(key, { price: cells[from], from, to: cell, days: [] });
          spans.get(key).days.push(day);
        }
        from = cell;
      }
    });
    const all = [...spans.values()];
    for (const late of all.filter(span => span.to === CELLS && span.from > 0)) {
      const early = all.find(span => span.from === 0 && span.to < CELLS && span.price === late.price
        && span.days.join() === late.days.join());
      if (early) { late.to = early.to; all.splice(all.indexOf(early), 1); }
    }
    return all;
  }

  function write(spans) {
    rows.replaceChildren();
    spans.slice(0, 60).forEach((span, index) => {
      const row = model.content.firstElementChild.cloneNode(true);
      for (const part of [row, ...row.querySelectorAll("*")]) {
        for (const attribute of part.attributes) attribute.value = attribute.value.replaceAll("w__", "w" + index);
      }
      for (const box of row.querySelectorAll("[type=checkbox]")) box.checked = span.days.includes(DAYS.indexOf(box.value));
      const whole = span.from === 0 && span.to === CELLS;
      field(row, "from").value = whole ? "" : clock(span.from);
      field(row, "to").value = whole ? "" : clock(span.to);
      [field(row, "energy").value, field(row, "time").value] = span.price.split("|");
      rows.append(row);
    });
  }

  function bands(grid) {
    const prices = new Set();
    for (const cell of grid.flat()) {
      const price = cell === null ? base("energy") : cell.split("|")[0] || base("energy");
      if (number(price) !== null) prices.add(number(price));
    }
    const sorted = [...prices].sort((one, other) => one - other);
    const most = Math.max(sorted.length - 1, 1);
    return new Map(sorted.map((price, rank) => [price, {
      letter: String.fromCharCode(65 + rank), shade: "band-" + (1 + Math.floor(rank * 5 / most)), price,
    }]));
  }

  const shown = price => String(price).replace(/^(\d+)$/, "$1.00").replace(/\.(\d)$/, ".$10");
  const make = (tag, text, name) => { const part = document.createElement(tag); if (text) part.textContent = text; if (name) part.className = name; return part; };

  function draw(grid) {
    const known = bands(grid);
    const table = make("table", "", "week");
    table.id = "week";
    const head = table.createTHead().insertRow();
    const corner = make("th", "", "day");
    head.append(corner);
    for (let hour = 0; hour < 8; hour++) {
      const th = make("th", String(hour * 3).padStart(2, "0"), hour % 2 ? "minor" : "");
      th.colSpan = HOUR * 3; th.scope = "col"; head.append(th);
    }
    const body = table.createTBody();
    grid.forEach((cells, day) => {
      const row = body.insertRow();
      const name = DAYS[day][0].toUpperCase() + DAYS[day].slice(1);
      const th = make("th", name.slice(0, 3), "day");
      th.scope = "row"; row.append(th); row.dataset.day = day;
      const priceOf = cell => number(cells[cell] === null ? base("energy") : cells[cell].split("|")[0] || base("energy"));
      let from = 0;
      for (let cell = 1; cell <= CELLS; cell++) {
        if (cell < CELLS && cells[cell] === cells[from]) continue;
        const band = known.get(priceOf(from));
        const td = row.insertCell();
        td.colSpan = cell - from;
        const minutes = (cell - from) * STEP;
        td.className = (band ? band.shade : "band-0") + (minutes < 120 ? " tiny" : minutes < 300 ? " small" : "");
        td.title = `${name} ${clock(from)}–${clock(cell)}: ${band ? shown(band.price) + " per kWh" : "no price"}`;
        if (band) td.append(make("b", band.letter));
        td.append(make("span", band ? shown(band.price) : "–"));
        from = cell;
      }
    });
    const scroll = make("div", "", "scroll paintable");
    scroll.append(table);
    const list = make("ul", "", "bands");
    list.id = "bands";
    for (const band of known.values()) {
      const line = make("li");
      line.append(make("span", band.letter, "swatch " + band.shade), `${shown(band.price)} per kWh`);
      list.append(line);
    }
    painter.replaceChildren(scroll, list);
    palette(grid, known);
  }

  // One click takes up a price that is there; the last one wipes.
  function palette(grid, known) {
    const box = document.getElementById("swatches");
    box.replaceChildren();
    const there = [...new Set(grid.flat().filter(cell => cell !== null))];
    for (const key of there) {
      const [perKwh, perHour] = key.split("|");
      const band = known.get(number(perKwh || base("energy")));
      const button = make("button", `${band ? band.letter + " " : ""}${perKwh || "–"}${perHour ? " + " + perHour + "/h" : ""}`, "small " + (band ? band.shade : ""));
      button.type = "button";
      button.addEventListener("click", () => { energy.value = perKwh; time.value = perHour; });
      box.append(button);
    }
    const wipe = make("button", "Wipe", "small");
    wipe.type = "button";
    wipe.addEventListener("click", () => { energy.value = ""; time.value = ""; });
    box.append(wipe);
  }

  let grid = read(), stroke = null;

  // Where the pointer is: the day of the row, and the hour.
  function place(event) {
    const lines = [...painter.querySelectorAll("tbody tr")];
    const line = lines.find(row => { const box = row.getBoundingClientRect(); return event.clientY >= box.top && event.clientY < box.bottom; });
    if (!line) return null;
    const left = line.cells[1].getBoundingClientRect().left, right = line.lastElementChild.getBoundingClientRect().right;
    const hour = Math.floor((event.clientX - left) / (right - left) * 24);
    return hour < 0 || hour > 23 ? null : { day: Number(line.dataset.day), hour };
  }

  function paint(to) {
    const price = energy.value.trim() || time.value.trim() ? energy.value.trim() + "|" + time.value.trim() : null;
    grid = stroke.before.map(cells => cells.slice());
    const [day0, day1] = [stroke.at.day, to.day].sort((a, b) => a - b);
    const [hour0, hour1] = [stroke.at.hour, to.hour].sort((a, b) => a - b);
    for (let day = day0; day <= day1; day++) grid[day].fill(price, hour0 * HOUR, (hour1 + 1) * HOUR);
    draw(grid);
  }

  painter.addEventListener("pointerdown", event => {
    const at = place(event);
    if (!at || event.button !== 0) return;
    event.preventDefault();
    painter.setPointerCapture(event.pointerId);
    stroke = { at, before: grid };
    paint(at);
  });
  painter.addEventListener("pointermove", event => { const to = stroke && place(event); if (to) paint(to); });
  for (const end of ["pointerup", "pointercancel"]) {
    painter.addEventListener(end, () => { if (!stroke) return; stroke = null; write(compile(grid)); });
  }
  const follow = () => { grid = read(); draw(grid); };
  rows.addEventListener("input", follow);
  const always = document.getElementById("f-energy");
  if (always) always.addEventListener("input", follow);
  brushes.hidden = false;
  document.getElementById("redraw").hidden = true;
  draw(grid);
})();
