// Runs before the first paint, so that nobody sees the other theme or density flash by.
try {
  const prefs = JSON.parse(localStorage.getItem('sluice.prefs') || '{}')
  const root = document.documentElement
  const dark = prefs.theme ? prefs.theme === 'dark' : matchMedia('(prefers-color-scheme: dark)').matches
  root.dataset.mantineColorScheme = dark ? 'dark' : 'light'
  if (prefs.density === 'compact') root.dataset.density = 'compact'
  if (prefs.language === 'ko' || prefs.language === 'en') root.lang = prefs.language
} catch {
  // Storage may be switched off; the console then starts with the system's theme.
}
