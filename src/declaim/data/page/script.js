"use strict";
const clips = [...document.querySelectorAll(".clip")];
const box = document.querySelector("input[type=search]");
const chips = [...document.querySelectorAll(".chips button")];
const shown = document.getElementById("shown");

function filter() {
  const words = box.value.toLowerCase().split(/\s+/).filter(Boolean);
  const pressed = chips.filter((chip) => chip.getAttribute("aria-pressed") === "true").map((chip) => chip.dataset.word);
  let count = 0;
  for (const clip of clips) {
    const text = clip.dataset.text;
    const hit = words.every((word) => text.includes(word)) && pressed.every((word) => text.includes(`|${word}|`));
    clip.hidden = !hit;
    count += hit;
  }
  shown.textContent = `${count} of ${clips.length} clips`;
}
box.addEventListener("input", filter);
for (const chip of chips) {
  chip.addEventListener("click", () => {
    chip.setAttribute("aria-pressed", chip.getAttribute("aria-pressed") !== "true");
    filter();
  });
}

let playing = null; // one clip at a time
for (const clip of clips) {
  const video = clip.querySelector("video"), sound = clip.querySelector("audio"), button = clip.querySelector("button");
  const head = clip.querySelector(".playhead"), curves = clip.querySelector(".curves");
  const leader = video || sound;
  if (!leader || !button) continue;
  const width = curves.viewBox.baseVal.width, seconds = Number(clip.dataset.seconds);
  const show = () => {
    const x = Math.min(leader.currentTime / seconds, 1) * width;
    head.setAttribute("x1", x);
    head.setAttribute("x2", x);
  };
  const stop = () => {
    leader.pause();
    if (sound) sound.pause();
    button.textContent = "▶";
    button.setAttribute("aria-label", "play");
  };
  const draw = () => {
    show();
    if (video && sound && !sound.paused && Math.abs(sound.currentTime - video.currentTime) > 0.06) sound.currentTime = video.currentTime;
    if (!leader.paused) requestAnimationFrame(draw);
  };
  const play = async () => {
    if (playing && playing !== stop) playing();
    playing = stop;
    if (leader.ended) leader.currentTime = 0;
    if (video && sound) {
      sound.currentTime = video.currentTime;
      sound.play().catch(() => {});
    }
    await leader.play();
    button.textContent = "❚❚";
    button.setAttribute("aria-label", "pause");
    draw();
  };
  button.addEventListener("click", () => (leader.paused ? play() : stop()));
  leader.addEventListener("ended", stop);
  curves.addEventListener("click", (event) => {
    const place = curves.getBoundingClientRect();
    leader.currentTime = ((event.clientX - place.left) / place.width) * seconds;
    show();
    play();
  });
}
