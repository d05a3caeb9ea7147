"use strict";
// All sounds of an item start at the same moment and run together; which one is heard is a gain.

const data = JSON.parse(document.getElementById("data").textContent);
const said = document.getElementById("status");
let context = null;
let playing = null; // the one player that sounds

function clock(seconds) {
  const whole = Math.floor(seconds);
  const tenths = Math.floor((seconds - whole) * 10);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}.${tenths}`;
}

function bytes(text) {
  return Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0)).buffer;
}

function make(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

class Player {
  constructor(item) {
    this.item = item;
    this.offset = 0; // seconds, where it stands while it is silent
    this.began = null; // the context's time at which position 0 was or would have been
    this.chosen = 0;
    this.gains = [];
    this.sources = [];
    this.buffers = null;
    this.element = this.build();
    this.element.player = this;
  }

  position() {
    if (this.began === null) return this.offset;
    return Math.min(Math.max(context.currentTime - this.began, 0), this.item.seconds);
  }

  async load() {
    context = context || new AudioContext();
    if (context.state === "suspended") await context.resume();
    this.buffers = this.buffers || (await Promise.all(
      this.item.tracks.map((track) => context.decodeAudioData(bytes(track.sound)))));
  }

  async play() {
    await this.load();
    if (playing && playing !== this) playing.pause();
    if (this.began !== null) return;
    if (this.offset >= this.item.seconds - 0.02) this.offset = 0;
    const start = context.currentTime + 0.03;
    this.sources = this.buffers.map((buffer, number) => {
      const source = new AudioBufferSourceNode(context, { buffer });
      this.gains[number] = new GainNode(context, { gain: number === this.chosen ? 1 : 0 });
      source.connect(this.gains[number]).connect(context.destination);
      source.start(start, this.offset);
      return source;
    });
    this.began = start - this.offset;
    playing = this;
    this.button.textContent = "Pause";
    this.element.dataset.playing = "yes";
    this.follow();
  }

  pause() {
    if (this.began === null) return;
    this.offset = this.position();
    this.began = null;
    this.sources.forEach((source) => source.stop());
    if (playing === this) playing = null;
    this.button.textContent = "Play";
    delete this.element.dataset.playing;
    this.show();
  }

  async seek(seconds) {
    const running = this.began !== null;
    if (running) this.pause();
    this.offset = Math.min(Math.max(seconds, 0), this.item.seconds);
    this.show();
    if (running) await this.play();
  }

  solo(number) {
    this.chosen = number;
    this.gains.forEach((gain, other) => {
      // over 10 ms, so that nothing clicks
      gain.gain.setTargetAtTime(other === number ? 1 : 0, context.currentTime, 0.01);
    });
    this.rows.forEach((row, other) => row.classList.toggle("audible", other === number));
    this.show();
  }

  follow() {
    if (this.began === null) return;
    if (this.position() >= this.item.seconds) this.pause();
    this.show();
    requestAnimationFrame(() => this.follow());
  }

  show() {
    const at = this.position();
    this.slider.value = at;
    this.slider.setAttribute("aria-valuetext", `${at.toFixed(1)} of ${this.item.seconds.toFixed(1)} seconds`);
    this.time.textContent = `${clock(at)} / ${clock(this.item.seconds)}`;
    this.waves.forEach((canvas, number) => this.wave(canvas, number, at / this.item.seconds));
  }

  wave(canvas, number, share) {
    const [width, height, pen] = sized(canvas);
    if (!width) return;
    const track = this.item.tracks[number];
    const colour = colourOf(track.colour);
    const count = track.peaks.length;
    pen.clearRect(0, 0, width, height);
    const scale = height / 2 / 127;
    track.peaks.forEach(([low, high], place) => {
      const x = (place / count) * width;
      pen.globalAlpha = (number === this.chosen ? 1 : 0.55) * (place / count <= share ? 1 : 0.6);
      pen.fillStyle = colour;
      pen.fillRect(x, height / 2 - high * scale, Math.max(width / count, 1), Math.max((high - low) * scale, 1));
    });
    pen.globalAlpha = 1;
    pen.fillStyle = colourOf("ink");
    pen.fillRect(Math.min(share * width, width - 2), 0, 2, height);
  }

  build() {
    const item = this.item;
    const group = `track-${item.number}`;
    this.button = make("button", { className: "play", type: "button", textContent: "Play" });
    this.button.addEventListener("click", () => (this.began === null ? this.play() : this.pause()));
    this.slider = make("input", { type: "range", min: 0, max: item.seconds, step: 0.1, value: 0 });
    this.slider.setAttribute("aria-label", `Position in ${item.name}`);
    this.slider.addEventListener("input", () => this.seek(Number(this.slider.value)));
    this.time = make("span", { className: "clock" });
    this.waves = [];
    this.rows = item.tracks.map((track, number) => {
      const radio = make("input", { type: "radio", name: group, checked: number === 0 });
      radio.addEventListener("change", () => this.solo(number));
      const name = make("span", {}, track.label, " ", make("span", { className: "kind", textContent: track.kind }));
      name.style.color = `var(--${track.colour})`;
      const canvas = make("canvas");
      canvas.setAttribute("aria-hidden", "true");
      canvas.addEventListener("pointerdown", (event) => {
        this.seek((event.offsetX / canvas.clientWidth) * item.seconds);
      });
      this.waves.push(canvas);
      const row = make("div", { className: "track" }, make("label", {}, radio, name), canvas);
      if (track.scores) row.append(make("p", { className: "scores", textContent: track.scores }));
      return row;
    });
    this.rows[0].classList.add("audible");
    const legend = make("legend", { className: "hidden", textContent: "What is heard" });
    const title = make("h3", { id: `title-${item.number}`, textContent: item.name, tabIndex: -1 });
    const section = make("section", { className: "player" }, title);
    if (item.note) section.append(make("p", { className: "soft", textContent: item.note }));
    section.setAttribute("aria-labelledby", title.id);
    section.append(
      make("div", { className: "transport" }, this.button, this.slider, this.time),
      make("fieldset", {}, legend, ...this.rows), pictures(item));
    section.addEventListener("keydown", (event) => {
      if (event.key !== " " || event.target.closest("button, summary, input[type=range]")) return;
      event.preventDefault();
      this.button.click();
    });
    return section;
  }
}

function sized(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [canvas.clientWidth, canvas.clientHeight];
  if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
  }
  const pen = canvas.getContext("2d");
  pen.setTransform(ratio, 0, 0, ratio, 0, 0);
  return [width, height, pen];
}

function colourOf(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`);
}

function pictures(item) {
  const inside = make("div", { className: "pictures" });
  item.pictures.forEach((picture) => {
    const image = make("img", { src: `data:image/png;base64,${picture.png}`, alt: picture.alt });
    const axes = make("div", { className: "axes" }, image, ticks(item.ticks.frequency, "frequency"), ticks(item.ticks.time, "time"));
    inside.append(make("figure", {}, axes, make("figcaption", { textContent: picture.caption })));
  });
  const masks = item.pictures.some((picture) => picture.caption.startsWith("Mask "));
  const shown = ["Spectrograms", ...(masks ? ["masks"] : []), ...(item.plane ? ["embedding"] : [])];
  const details = make("details", {}, make("summary", { textContent: shown.join(", ") }), inside);
  details.open = data.items.length === 1;
  if (item.plane) {
    const canvas = make("canvas");
    canvas.setAttribute("role", "img");
    canvas.setAttribute("aria-label", item.plane.alt);
    inside.append(make("figure", {}, canvas, make("figcaption", { textContent: item.plane.caption })));
    details.addEventListener("toggle", () => plane(canvas, item.plane));
  }
  return details;
}

function ticks(marks, kind) {
  const axis = make("div", { className: kind });
  axis.setAttribute("aria-hidden", "true"); // the picture's text says what the axes are
  marks.forEach(([place, text]) => {
    const mark = make("span", { textContent: text });
    mark.style[kind === "time" ? "left" : "bottom"] = `${100 * place}%`;
    axis.append(mark);
  });
  return axis;
}

function plane(canvas, { points }) {
  const [width, height, pen] = sized(canvas);
  if (!width) return;
  pen.clearRect(0, 0, width, height);
  pen.globalAlpha = 0.5;
  points.forEach(([x, y, colour]) => {
    pen.fillStyle = colourOf(colour);
    pen.beginPath();
    pen.arc(8 + ((x + 127) / 254) * (width - 16), height - 8 - ((y + 127) / 254) * (height - 16), 1.8, 0, 7);
    pen.fill();
  });
}

const players = new Map();

function open(number, focus) {
  const place = document.getElementById("stage");
  if (playing) playing.pause();
  if (!players.has(number)) players.set(number, new Player(data.items[number]));
  const player = players.get(number);
  place.replaceChildren(player.element);
  player.show();
  document.querySelectorAll("tr[data-item]").forEach((row) => {
    row.classList.toggle("now", Number(row.dataset.item) === number);
  });
  if (focus) {
    player.element.querySelector("h3").focus();
    place.scrollIntoView({ block: "nearest" });
  }
}

function sort(header, table) {
  const place = [...header.parentNode.children].indexOf(header);
  const down = header.getAttribute("aria-sort") !== "descending";
  const number = header.dataset.kind === "number";
  const value = (row) => {
    const cell = row.children[place];
    return number ? Number(cell.dataset.value ?? NaN) : cell.textContent;
  };
  const rows = [...table.tBodies[0].rows].sort((a, b) => {
    const [x, y] = [value(a), value(b)];
    if (number && Number.isNaN(x + y)) return Number.isNaN(x) - Number.isNaN(y); // no score: last
    const order = number ? x - y : x.localeCompare(y, undefined, { numeric: true });
    return down ? -order : order;
  });
  table.tBodies[0].append(...rows);
  table.querySelectorAll("th[aria-sort]").forEach((other) => other.setAttribute("aria-sort", "none"));
  header.setAttribute("aria-sort", down ? "descending" : "ascending");
  const name = header.textContent.trim();
  said.textContent = `Sorted by ${name}, ${number ? (down ? "the best first" : "the worst first") : (down ? "from z to a" : "from a to z")}`;
}

document.querySelectorAll("table.sortable").forEach((table) => {
  table.querySelectorAll("th[aria-sort] button").forEach((button) => {
    button.addEventListener("click", () => sort(button.closest("th"), table));
  });
});
document.querySelectorAll("button[data-open]").forEach((button) => {
  button.addEventListener("click", () => open(Number(button.dataset.open), true));
});
if (data.items.length) open(0, false);

function redraw() {
  players.forEach(({ element }) => {
    if (!element.isConnected) return;
    element.player.show();
    element.querySelectorAll("details[open]").forEach((details) => details.dispatchEvent(new Event("toggle")));
  });
}
window.addEventListener("resize", redraw);
window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
