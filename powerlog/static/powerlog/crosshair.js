// Says the values of a minute of the picture: under the mouse or finger, or by the arrow keys on
// the slider below it. The table behind the picture says the same without this script.

const SVG = "http://www.w3.org/2000/svg";
const kept = { minute: null, numbers: null };

class Crosshair {
  constructor(box) {
    this.box = box;
    this.from = Number(box.dataset.from);
    this.to = Number(box.dataset.to);
    this.lines = [...box.querySelectorAll(".links")].map((links) => {
      const line = links.ownerDocument.createElementNS(SVG, "line");
      line.setAttribute("class", "cross");
      line.setAttribute("y2", "100%");
      links.prepend(line);
      return line;
    });
    this.readout = box.appendChild(document.createElement("p"));
    this.readout.className = "readout quiet";
    this.readout.textContent = box.dataset.hint;
    this.slider = box.appendChild(document.createElement("input"));
    Object.assign(this.slider, { type: "range", min: this.from, max: this.to - 1, step: 1 });
    this.slider.value = kept.minute ?? Math.min(this.to, Number(box.dataset.passed)) - 1;
    this.slider.setAttribute("aria-label", box.dataset.label);
    this.slider.addEventListener("input", () => this.show(Number(this.slider.value)));
    this.slider.addEventListener("focus", () => this.show(Number(this.slider.value)));
    for (const plot of box.querySelectorAll(".plot")) {
      plot.addEventListener("pointermove", (event) => this.point(event));
      plot.addEventListener("pointerdown", (event) => this.point(event));
    }
    if (kept.minute !== null) this.show(kept.minute);
  }

  point(event) {
    const edges = event.currentTarget.querySelector(".picture").getBoundingClientRect();
    const share = (event.clientX - edges.left) / edges.width;
    if (share >= 0 && share < 1) this.show(Math.floor(this.from + share * (this.to - this.from)));
  }

  async show(minute) {
    kept.minute = minute;
    try {
      kept.numbers ??= await this.fetch();
    } catch {
      this.readout.textContent = this.box.dataset.failed;
      return;
    }
    if (kept.minute !== minute) return; // the mouse has gone on meanwhile
    this.minute = Math.max(this.from, Math.min(minute, this.to - 1, kept.numbers.passed - 1));
    const x = `${(100 * (this.minute + 0.5 - this.from)) / (this.to - this.from)}%`;
    for (const line of this.lines) {
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
    }
    this.slider.value = this.minute;
    const text = this.text(this.minute, kept.numbers);
    this.readout.className = "readout";
    this.readout.textContent = text;
    this.slider.setAttribute("aria-valuetext", text);
  }

  async fetch() {
    const response = await fetch(this.box.dataset.numbers);
    if (!response.ok || response.redirected) throw new Error(response.status);
    const numbers = await response.json();
    for (const meter of numbers.meters) {
      meter.by = new Map(meter.minutes.map((row) => [row[0], row]));
    }
    return numbers;
  }

  text(minute, numbers) {
    const time = new Intl.DateTimeFormat("en-GB", {
      hour: "2-digit",
      minute: "2-digit",
      timeZone: this.box.dataset.zone,
    }).format(new Date((numbers.start + minute * 60) * 1000));
    const said = numbers.meters.map((meter) => {
      const values = this.values(meter, minute);
      return numbers.meters.length > 1 ? `${meter.name}: ${values}` : values;
    });
    return said.length > 1 ? [time, ...said].join("\n") : `${time}   ${said[0]}`;
  }

  values(meter, minute) {
    const { none, off, locale } = this.box.dataset;
    const row = meter.by.get(minute);
    if (!row) return meter.gaps.some(([a, b]) => a <= minute && minute < b) ? none : off;
    const [, watts, volts, amperes, source] = row;
    const say = (value, unit, digits) =>
      `${value.toLocaleString(locale, { minimumFractionDigits: digits, maximumFractionDigits: digits })}\u00a0${unit}`;
    const values = [say(watts, "W", 1)];
    if (volts) values.push(say(volts, "V", 1));
    if (amperes) values.push(say(amperes, "A", 2));
    const how = this.box.dataset[source];
    return values.join(" · ") + (how ? ` (${how})` : "");
  }
}

function start(root) {
  kept.numbers = null;
  for (const box of root.querySelectorAll(".crosshair")) new Crosshair(box);
}

start(document);
document.addEventListener("replaced", (event) => start(event.target));
