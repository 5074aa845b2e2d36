// The player and the timeline below it: hovering shows a frame and its heatmap, a click or an arrow key seeks the player.

const player = document.querySelector("#player");
const plot = document.querySelector("#timeline");
document.documentElement.classList.add("has-js");
if (player) detectPlaybackErrors();
if (plot) initTimeline(JSON.parse(document.querySelector("#timeline-data").textContent));

for (const moment of document.querySelectorAll("[data-seek]")) {
  moment.addEventListener("click", (event) => {
    if (!player || !document.querySelector("#unplayable").hidden) return;
    event.preventDefault();
    player.currentTime = Number(moment.dataset.seek);
    player.scrollIntoView({ block: "center" });
    player.focus();
  });
}

function detectPlaybackErrors() {
  const showUnplayable = () => {
    document.querySelector("#unplayable").hidden = false;
    player.hidden = true;
  };
  player.addEventListener("error", showUnplayable);
  if (player.error || (player.tagName === "IMG" && player.complete && !player.naturalWidth)) showUnplayable();
  if (player.tagName === "VIDEO") player.addEventListener("loadedmetadata", () => player.videoWidth || showUnplayable()); // audio only
}

function initTimeline(data) {
  const [cursor, playhead, caption] = ["#cursor", "#playhead", "#frame-caption"].map((name) => document.querySelector(name));
  const pictures = ["#frame", "#heatmap"].map((name) => document.querySelector(name)).filter(Boolean);
  const lastIndex = data.time_s.length - 1;
  let selected = data.peak;

  const showFrame = (index) => {
    for (const picture of pictures) if (data.box[index]) picture.setAttribute("viewBox", data.box[index]);
    if (caption) caption.textContent = data.text[index];
    const [line, dot] = cursor.children;
    for (const name of ["x1", "x2"]) line.setAttribute(name, `${data.x[index]}%`);
    dot.setAttribute("cx", `${data.x[index]}%`);
    dot.setAttribute("cy", `${data.y[index]}%`);
    cursor.setAttribute("visibility", "visible");
    plot.setAttribute("aria-valuenow", index);
    plot.setAttribute("aria-valuetext", data.text[index]);
  };
  const selectFrame = (index) => {
    selected = Math.min(Math.max(index, 0), lastIndex);
    showFrame(selected);
    if (player && !player.hidden) player.currentTime = data.time_s[selected];
  };
  const frameAtPointer = (event) => {
    const box = plot.getBoundingClientRect();
    return nearestIndex(data.x, (100 * (event.clientX - box.left)) / box.width);
  };

  const attributes = { role: "slider", tabindex: 0, "aria-label": "Frames over time", "aria-valuemin": 0, "aria-valuemax": lastIndex };
  for (const [name, value] of Object.entries(attributes)) plot.setAttribute(name, value);
  plot.firstElementChild.setAttribute("aria-hidden", "true");
  plot.addEventListener("pointermove", (event) => showFrame(frameAtPointer(event)));
  plot.addEventListener("pointerleave", () => showFrame(selected));
  plot.addEventListener("click", (event) => selectFrame(frameAtPointer(event)));
  plot.addEventListener("keydown", (event) => {
    const page = Math.max(Math.round(lastIndex / 10), 1);
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -page, PageUp: page, Home: -lastIndex, End: lastIndex };
    if (!(event.key in moves)) return;
    event.preventDefault();
    selectFrame(selected + moves[event.key]);
  });
  player?.addEventListener("timeupdate", () => {
    for (const name of ["x1", "x2"]) playhead.setAttribute(name, `${Math.min((100 * player.currentTime) / data.length_s, 100)}%`);
    playhead.setAttribute("visibility", "visible");
    if (player.paused) return;
    selected = nearestIndex(data.time_s, player.currentTime);
    showFrame(selected);
  });
  showFrame(selected);
}

function nearestIndex(values, target) {
  let best = 0;
  values.forEach((value, index) => {
    if (Math.abs(value - target) < Math.abs(values[best] - target)) best = index;
  });
  return best;
}
