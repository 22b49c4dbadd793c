// Applies the theme the user chose before the first paint. controllers/theme-controller.ts owns the
// choice; without one the system's preference holds.
(() => {
  try {
    const theme = localStorage.getItem('ringtap-theme');
    if (theme === 'dark' || theme === 'light') document.documentElement.dataset.theme = theme;
  } catch {
    // Storage may be forbidden: the system's preference then.
  }
})();
