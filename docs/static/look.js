// The theme's buttons that unfold the navigation have no name; each gets that of the page whose subpages it shows.
addEventListener("DOMContentLoaded", () => {
  for (const toggle of document.querySelectorAll("summary:has(> .toctree-toggle)")) {
    toggle.setAttribute("aria-label", toggle.closest("li").querySelector("a").textContent.trim());
  }
});
