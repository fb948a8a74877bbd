import { useState } from 'react'
import { useI18n } from '../../i18n'
import { instantOf, wallTime } from '../../i18n/zone'
import { usePrefs } from '../../prefs'
import { RadioCards } from '../../ui/Choice'
import { Notice } from '../../ui/States'
import { TextInput } from '../../ui/TextInput'

/** When a key ends: undefined leaves it to the server's default, null is never. */
export type Expiry = string | null | undefined

const day = 86_400_000
type Choice = 'default' | 'keep' | '30' | '90' | 'at' | 'never'

/** When a key ends. A new one has the server's default; one that is edited keeps what it has. */
export function ExpiryField({
  value,
  onChange,
  error,
  kept,
}: {
  value: Expiry
  onChange: (expiry: Expiry) => void
  error?: string
  /** What a key that is edited has now. */
  kept?: string | null
}) {
  const { t, format } = useI18n()
  const { timeZone } = usePrefs()
  const editing = kept !== undefined
  const [choice, setChoice] = useState<Choice>(editing ? 'keep' : 'default')
  const [wall, setWall] = useState('')
  const after = (days: number) => new Date(Date.now() + days * day).toISOString()
  const choose = (c: Choice) => {
    setChoice(c)
    if (c === 'default') onChange(undefined)
    else if (c === 'keep') onChange(kept)
    else if (c === 'never') onChange(null)
    else if (c === 'at') {
      const start = wallTime(Date.now() + 365 * day, timeZone)
      setWall(start)
      write(start)
    } else onChange(after(Number(c)))
  }
  const write = (text: string) => {
    const at = instantOf(text, timeZone)
    onChange(at === undefined ? undefined : new Date(at).toISOString())
  }
  return (
    <>
      <RadioCards
        label={t('keys.expires')}
        error={choice === 'at' ? undefined : error}
        value={choice}
        onChange={choose}
        options={[
          editing
            ? { value: 'keep', label: kept ? t('keys.expiryKeep', { time: format.dateTime(kept) }) : t('keys.expiryKeepNever') }
            : { value: 'default', label: t('keys.expiryDefault'), help: t('keys.expiryDefaultHelp') },
          { value: '30', label: t('keys.expiry30') },
          { value: '90', label: t('keys.expiry90') },
          { value: 'at', label: t('keys.expiryAt') },
          { value: 'never', label: t('keys.never') },
        ]}
      />
      {choice === 'at' && (
        <TextInput
          type="datetime-local"
          label={t('keys.expiryAtLabel')}
          help={t('requests.inZone', { zone: timeZone || Intl.DateTimeFormat().resolvedOptions().timeZone })}
          value={wall}
          error={error ?? (instantOf(wall, timeZone) === undefined ? t('keys.expiryMissing') : undefined)}
          onChange={(e) => {
            setWall(e.target.value)
            write(e.target.value)
          }}
        />
      )}
      {value === null && choice === 'never' && <Notice tone="warn">{t('keys.neverWarning')}</Notice>}
    </>
  )
}
