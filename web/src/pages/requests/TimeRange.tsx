import { useState } from 'react'
import { type PlainKey, useI18n } from '../../i18n'
import { usePrefs } from '../../prefs'
import { Button } from '../../ui/Button'
import { HistoryIcon } from '../../ui/icons'
import { Menu } from '../../ui/Menu'
import { Dialog } from '../../ui/Overlay'
import { Stack } from '../../ui/Page'
import { TextInput } from '../../ui/TextInput'
import { type Preset, presetNames, type Range, toUtc, toWall } from './range'

const names: Record<Preset, PlainKey> = {
  '15m': 'requests.last15m',
  '1h': 'requests.last1h',
  '6h': 'requests.last6h',
  '24h': 'requests.last24h',
  '3d': 'requests.last3d',
  '7d': 'requests.last7d',
}

/** What time is searched: some while up to now, or from one instant to another, by the clocks of the reader's zone. */
export function TimeRange({ value, onChange }: { value: Range; onChange: (range: Range) => void }) {
  const { t, format } = useI18n()
  const [open, setOpen] = useState(false)
  const label =
    'last' in value
      ? t(names[value.last])
      : value.to
        ? t('requests.between', { from: format.dateTime(value.from), to: format.dateTime(value.to) })
        : t('requests.since', { from: format.dateTime(value.from) })
  return (
    <>
      <Menu
        target={
          <Button icon={HistoryIcon} aria-label={t('requests.rangeIs', { range: label })}>
            {label}
          </Button>
        }
        groups={[
          presetNames.map((p) => ({
            label: t(names[p]),
            checked: 'last' in value && value.last === p,
            onSelect: () => onChange({ last: p }),
          })),
          [{ label: t('requests.custom'), checked: !('last' in value), onSelect: () => setOpen(true) }],
        ]}
      />
      <Dialog open={open} onClose={() => setOpen(false)} title={t('requests.custom')}>
        {open && (
          <Ends
            value={value}
            onDone={(range) => {
              setOpen(false)
              if (range) onChange(range)
            }}
          />
        )}
      </Dialog>
    </>
  )
}

function Ends({ value, onDone }: { value: Range; onDone: (range?: Range) => void }) {
  const { t } = useI18n()
  const { timeZone } = usePrefs()
  const zone = timeZone || Intl.DateTimeFormat().resolvedOptions().timeZone
  const hourAgo = () => toWall(new Date(Date.now() - 3_600_000).toISOString(), timeZone)
  const [from, setFrom] = useState(() => ('last' in value ? hourAgo() : toWall(value.from, timeZone)))
  const [to, setTo] = useState(() => ('last' in value ? '' : toWall(value.to, timeZone)))
  const [tried, setTried] = useState(false)
  const range = { from: toUtc(from, timeZone), to: toUtc(to, timeZone) }
  const noFrom = range.from === ''
  const turned = range.to !== '' && range.to <= range.from
  return (
    <form
      noValidate
      onSubmit={(e) => {
        e.preventDefault()
        setTried(true)
        if (!noFrom && !turned) onDone(range)
      }}
    >
      <Stack>
        <TextInput
          type="datetime-local"
          label={t('requests.from')}
          help={t('requests.inZone', { zone })}
          required
          value={from}
          onChange={(e) => setFrom(e.target.value)}
          error={tried && noFrom ? t('requests.fromMissing') : undefined}
        />
        <TextInput
          type="datetime-local"
          label={t('requests.to')}
          help={t('requests.toHelp')}
          optional
          value={to}
          onChange={(e) => setTo(e.target.value)}
          error={tried && turned ? t('requests.turned') : undefined}
        />
        <div>
          <Button look="primary" type="submit">
            {t('requests.search')}
          </Button>
        </div>
      </Stack>
    </form>
  )
}
