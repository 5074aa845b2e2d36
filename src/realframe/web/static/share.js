// Copies the share link to the clipboard.

const field = document.querySelector("#link");
const button = document.querySelector("#copy");
button.hidden = !navigator.clipboard;
field.addEventListener("focus", () => field.select());
button.addEventListener("click", async () => {
  await navigator.clipboard.writeText(field.value);
  document.querySelector("#copied").textContent = "Copied.";
});
