// The session's curve with a shared cursor. It draws what the table of meter values says, and nothing else; the SVG that
// the server drew stands until then, and where no script runs.
(() => {
  "use strict";
  let chart = null;
  let drawn = "";

  function colour(name) {
    const probe = document.createElement("span");
    probe.className = "probe " + name;
    document.body.append(probe);
    const value = getComputedStyle(probe).color;
    probe.remove();
    return value;
  }

  function number(row, name) {
    const text = row.dataset[name];
    return text === "" ? null : Number(text);
  }

  // Columns of the table, with an empty point inside every gap so that no line crosses it.
  function read(table) {
    const gap = Number(table.dataset.gap);
    const columns = { t: [], p: [], e: [], s: [], o: [] };
    let before = null;
    for (const row of table.tBodies[0].rows) {
      const at = Number(row.dataset.t);
      if (before !== null && at - before > gap) {
        columns.t.push(before + 1);
        for (const name of ["p", "e", "s", "o"]) columns[name].push(null);
      }
      before = at;
      columns.t.push(at);
      columns.p.push(scaled(number(row, "p"), 1000));
      columns.e.push(scaled(number(row, "e"), 1000));
      columns.s.push(scaled(number(row, "s"), 10));
      columns.o.push(scaled(number(row, "o"), 1000));
    }
    return columns;
  }

  function clock(at, zone, second) {
    return new Date(at * 1000).toLocaleTimeString("en-GB", { timeZone: zone, hour: "2-digit", minute: "2-digit", second });
  }

  function scaled(value, by) { return value === null ? null : value / by; }
  function has(column) { return column.some((value) => value !== null); }
  function translucent(rgb) { return rgb.replace("rgb(", "rgba(").replace(")", ", 0.16)"); }

  function draw(force) {
    const table = document.getElementById("samples");
    const place = document.getElementById("chart");
    if (!table || !place || typeof uPlot === "undefined") return;
    const key = table.tBodies[0].rows.length + "/" + table.tBodies[0].lastElementChild?.dataset.t;
    const still = document.querySelector(".curve-static");
    if (table.tBodies[0].rows.length < 2) return;
    if (still) still.setAttribute("hidden", "");
    if (!force && key === drawn) return;
    drawn = key;
    place.hidden = false;
    const columns = read(table);
    const data = [columns.t, columns.p, columns.e];
    const zone = place.dataset.zone;
    const grid = { stroke: colour("hairline"), width: 1 };
    const muted = colour("muted");
    const font = "12px system-ui, sans-serif";
    const axis = (scale, side, label, extra) => ({
      scale, side, label, stroke: muted, font, labelFont: font, labelSize: 18, size: 48, grid: { show: false }, ticks: grid, ...extra,
    });
    const series = [
      {},
      { label: "Power kW", scale: "kW", stroke: colour("power"), fill: translucent(colour("power")), width: 2, spanGaps: false, points: { show: false } },
      { label: "Energy kWh", scale: "kWh", stroke: colour("energy"), width: 1.75, spanGaps: false, points: { show: false } },
    ];
    const narrow = place.clientWidth < 560;
    // Of a short session every mark would be of the same minute.
    const seconds = columns.t[columns.t.length - 1] - columns.t[0] < 900 ? "2-digit" : undefined;
    const axes = [
      { stroke: muted, font, grid, ticks: grid, space: 64, values: (_, instants) => instants.map((at) => clock(at, zone, seconds)) },
      axis("kW", 3, narrow ? null : "kW", { grid }),
      axis("kWh", 1, narrow ? null : "kWh", { show: !narrow }),
    ];
    if (has(columns.s)) {
      data.push(columns.s);
      series.push({ label: "SoC %", scale: "%", stroke: colour("soc"), width: 1.75, spanGaps: false, points: { show: false } });
      axes.push(axis("%", 1, narrow ? null : "%", {}));
    }
    if (has(columns.o)) {
      data.push(columns.o);
      series.push({ label: "Offered kW", scale: "kW", stroke: colour("offered"), width: 1.5, dash: [4, 3], spanGaps: false, points: { show: false }, paths: uPlot.paths.stepped({ align: 1 }) });
    }
    const fromZero = (_, __, highest) => [0, highest > 0 ? highest * 1.08 : 1];
    if (chart) chart.destroy();
    chart = new uPlot({
      width: place.clientWidth, height: narrow ? 260 : 300, padding: [12, 4, 0, 4], series, axes,
      tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), zone),
      scales: { kW: { range: fromZero }, kWh: { range: fromZero }, "%": { range: [0, 100] } },
      legend: { show: false },
      cursor: { sync: { key: "session" }, drag: { x: true, y: false } },
      hooks: { setCursor: [(plot) => readout(plot, zone)] },
    }, data, place);
  }

  function readout(plot, zone) {
    const line = document.getElementById("readout");
    const index = plot.cursor.idx;
    line.hidden = false;
    if (index === null || index === undefined) { line.textContent = "Point at the curve to read it."; return; }
    const at = new Date(plot.data[0][index] * 1000);
    const parts = [at.toLocaleTimeString("en-GB", { timeZone: zone }) + " " + zone];
    plot.series.forEach((series, place) => {
      if (place === 0) return;
      const value = plot.data[place][index];
      const [name, unit] = [series.label.slice(0, series.label.lastIndexOf(" ")), series.label.slice(series.label.lastIndexOf(" ") + 1)];
      parts.push(name + " " + (value === null ? "not measured" : value.toFixed(unit === "%" ? 0 : 2) + " " + unit));
    });
    line.textContent = parts.join("  ·  ");
  }

  document.addEventListener("DOMContentLoaded", () => draw(false));
  document.addEventListener("htmx:sseMessage", () => draw(false));
  document.addEventListener("htmx:load", () => draw(false));
  let resizing = null;
  addEventListener("resize", () => { clearTimeout(resizing); resizing = setTimeout(() => draw(true), 150); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => draw(true));
})();
