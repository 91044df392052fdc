// The key "/" leads to the query; everything else works without a script.
document.addEventListener("keydown", (event) => {
  const box = document.getElementById("q");
  const isTyping = event.target.closest("input, select, textarea");
  if (box && event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) {
    event.preventDefault();
    box.focus();
    box.select();
  }
});
// A link to the found passage takes the keyboard there too.
if (location.hash === "#hit") document.getElementById("hit")?.focus();
