import type { Words } from '../../fleet'
import { useI18n } from '../../i18n'

/** What is said of a node; its own words are marked as such, and as English. */
export function Said({ words }: { words: Words }) {
  const { rich } = useI18n()
  if (!words.own) return words.text
  return rich('gateways.own', {
    words: (
      <span key="words" lang="en">
        {words.text}
      </span>
    ),
  })
}
