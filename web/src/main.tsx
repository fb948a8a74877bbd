import './styles/tokens.css'
import './styles/base.css'
import { createRoot } from 'react-dom/client'
import { App } from './App'
import { loadLanguage } from './i18n'
import { languageOf, prefs } from './prefs'

const place = document.getElementById('root') as HTMLElement

// The texts come first, so that no frame shows without its words.
loadLanguage(languageOf(prefs())).then(
  () => createRoot(place).render(<App />),
  () => {
    place.textContent = 'The console could not be loaded.'
  },
)
