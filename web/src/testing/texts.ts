import { loadLanguage, loadTexts } from '../i18n'
import { type Area, sources } from '../i18n/areas'
import type { Language } from '../i18n/types'

/** Fetches every text of a language, also those that come with pages. */
export async function allTexts(language: Language): Promise<Record<string, string>> {
  await loadTexts(Object.keys(sources[language]) as Area[])
  return loadLanguage(language)
}
