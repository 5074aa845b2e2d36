// Shows the share link with the address of this site where it has none, and copies it to the clipboard.

const field = document.querySelector("#link");
const button = document.querySelector("#copy");
field.value = new URL(field.value, window.location.href).href;
button.hidden = !navigator.clipboard;
field.addEventListener("focus", () => field.select());
button.addEventListener("click", async () => {
  await navigator.clipboard.writeText(field.value);
  document.querySelector("#copied").textContent = "Copied.";
});
