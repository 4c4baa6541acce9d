// Loaded before the first paint, so that a dark page is not light for a moment. The app's own switch takes over later.
(() => {
  let mode = "system";
  try {
    mode = localStorage.getItem("theme") ?? mode;
  } catch {
    // Storage may be forbidden; the system's choice is a good one.
  }
  const isDark = mode === "dark" || (mode === "system" && matchMedia("(prefers-color-scheme: dark)").matches);
  document.documentElement.classList.add(isDark ? "dark" : "light");
  document.documentElement.style.colorScheme = isDark ? "dark" : "light";
})();
