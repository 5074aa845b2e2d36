// The player, and the timeline under it: pointing at it shows a frame and its heat, a click or the keys go there.

const player = document.querySelector("#player");
const plot = document.querySelector("#timeline");
document.documentElement.classList.add("scripted");
if (player) watchPlayable();
if (plot) follow(JSON.parse(document.querySelector("#marks").textContent));

for (const moment of document.querySelectorAll("[data-seek]")) {
  moment.addEventListener("click", (event) => {
    if (!player || !document.querySelector("#unplayable").hidden) return;
    event.preventDefault();
    player.currentTime = Number(moment.dataset.seek);
    player.scrollIntoView({ block: "center" });
    player.focus();
  });
}

function watchPlayable() {
  const unplayable = () => {
    document.querySelector("#unplayable").hidden = false;
    player.hidden = true;
  };
  player.addEventListener("error", unplayable);
  if (player.error || (player.tagName === "IMG" && player.complete && !player.naturalWidth)) unplayable();
  if (player.tagName === "VIDEO") player.addEventListener("loadedmetadata", () => player.videoWidth || unplayable()); // sound alone
}

function follow(marks) {
  const [cursor, playhead, said] = ["#cursor", "#playhead", "#said"].map((name) => document.querySelector(name));
  const pictures = ["#seen", "#heat"].map((name) => document.querySelector(name)).filter(Boolean);
  const last = marks.time_s.length - 1;
  let chosen = marks.peak;

  const show = (place) => {
    for (const picture of pictures) if (marks.box[place]) picture.setAttribute("viewBox", marks.box[place]);
    if (said) said.textContent = marks.words[place];
    const [line, dot] = cursor.children;
    for (const name of ["x1", "x2"]) line.setAttribute(name, `${marks.x[place]}%`);
    dot.setAttribute("cx", `${marks.x[place]}%`);
    dot.setAttribute("cy", `${marks.y[place]}%`);
    cursor.setAttribute("visibility", "visible");
    plot.setAttribute("aria-valuenow", place);
    plot.setAttribute("aria-valuetext", marks.words[place]);
  };
  const choose = (place) => {
    chosen = Math.min(Math.max(place, 0), last);
    show(chosen);
    if (player && !player.hidden) player.currentTime = marks.time_s[chosen];
  };
  const under = (event) => {
    const box = plot.getBoundingClientRect();
    return nearest(marks.x, (100 * (event.clientX - box.left)) / box.width);
  };

  const facts = { role: "slider", tabindex: 0, "aria-label": "Frames over time", "aria-valuemin": 0, "aria-valuemax": last };
  for (const [name, value] of Object.entries(facts)) plot.setAttribute(name, value);
  plot.firstElementChild.setAttribute("aria-hidden", "true");
  plot.addEventListener("pointermove", (event) => show(under(event)));
  plot.addEventListener("pointerleave", () => show(chosen));
  plot.addEventListener("click", (event) => choose(under(event)));
  plot.addEventListener("keydown", (event) => {
    const far = Math.max(Math.round(last / 10), 1);
    const moves = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1, PageDown: -far, PageUp: far, Home: -last, End: last };
    if (!(event.key in moves)) return;
    event.preventDefault();
    choose(chosen + moves[event.key]);
  });
  player?.addEventListener("timeupdate", () => {
    for (const name of ["x1", "x2"]) playhead.setAttribute(name, `${Math.min((100 * player.currentTime) / marks.length_s, 100)}%`);
    playhead.setAttribute("visibility", "visible");
    if (player.paused) return;
    chosen = nearest(marks.time_s, player.currentTime);
    show(chosen);
  });
  show(chosen);
}

function nearest(rising, value) {
  let best = 0;
  rising.forEach((one, place) => {
    if (Math.abs(one - value) < Math.abs(rising[best] - value)) best = place;
  });
  return best;
}
