import type { Language } from './types'

export interface Formats {
  /** 22 Nov 2026, 04:35 / 2026. 11. 22. 04:35 */
  dateTime(at: string | number | Date): string
  /** With seconds. */
  precise(at: string | number | Date): string
  date(at: string | number | Date): string
  time(at: string | number | Date): string
  /** "3 minutes ago", from now or from the instant given. */
  ago(at: string | number | Date, now?: number): string
  count(n: number): string
  /** 1.2 k, for tight places. */
  compact(n: number): string
  percent(share: number): string
  /** 12 ms, 1.24 s, 3 min 5 s, 2 d 4 h. */
  duration(ms: number): string
  /** 512 B, 1.5 KiB. */
  bytes(n: number): string
  list(items: string[]): string
}

const units: Record<Language, { ms: string; s: string; min: string; h: string; d: string }> = {
  en: { ms: 'ms', s: 's', min: 'min', h: 'h', d: 'd' },
  ko: { ms: 'ms', s: '초', min: '분', h: '시간', d: '일' },
}

const steps: [Intl.RelativeTimeFormatUnit, number][] = [
  ['year', 31_536_000],
  ['month', 2_592_000],
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
]

/** The formats of a language and a time zone; the empty zone is the browser's. */
export function formats(language: Language, zone = ''): Formats {
  const options = (o: Intl.DateTimeFormatOptions): Intl.DateTimeFormat =>
    new Intl.DateTimeFormat(language === 'ko' ? 'ko-KR' : 'en-GB', { ...o, hourCycle: 'h23', timeZone: zone || undefined })
  const day: Intl.DateTimeFormatOptions =
    language === 'ko'
      ? { year: 'numeric', month: 'numeric', day: 'numeric' }
      : { year: 'numeric', month: 'short', day: 'numeric' }
  const clock: Intl.DateTimeFormatOptions = { hour: '2-digit', minute: '2-digit' }
  const made = {
    dateTime: options({ ...day, ...clock }),
    precise: options({ ...day, ...clock, second: '2-digit' }),
    date: options(day),
    time: options({ ...clock, second: '2-digit' }),
  }
  const locale = language === 'ko' ? 'ko-KR' : 'en-GB'
  const number = new Intl.NumberFormat(locale)
  const compact = new Intl.NumberFormat(language === 'ko' ? 'ko-KR' : 'en', { notation: 'compact', maximumFractionDigits: 1 })
  const percent = new Intl.NumberFormat(locale, { style: 'percent', maximumFractionDigits: 2 })
  const relative = new Intl.RelativeTimeFormat(locale, { numeric: 'auto' })
  const list = new Intl.ListFormat(locale, { type: 'conjunction' })
  const short = (n: number, digits: number) =>
    new Intl.NumberFormat(locale, { maximumFractionDigits: digits, useGrouping: false }).format(n)
  const u = units[language]
  const gap = language === 'ko' ? '' : ' '

  /** An instant that cannot be read shows as it came: a wrong date would mislead. */
  const safe = (f: Intl.DateTimeFormat) => (at: string | number | Date) => {
    const d = new Date(at)
    return Number.isNaN(d.getTime()) ? String(at) : f.format(d)
  }
  return {
    dateTime: safe(made.dateTime),
    precise: safe(made.precise),
    date: safe(made.date),
    time: safe(made.time),
    ago(at, now = Date.now()) {
      const then = new Date(at).getTime()
      if (Number.isNaN(then)) return String(at)
      const seconds = Math.round((then - now) / 1000)
      for (const [unit, size] of steps) {
        if (Math.abs(seconds) >= size) return relative.format(Math.trunc(seconds / size), unit)
      }
      return relative.format(seconds, 'second')
    },
    count: (n) => number.format(n),
    compact: (n) => compact.format(n),
    percent: (share) => percent.format(share),
    duration(ms) {
      const sign = ms < 0 ? '−' : ''
      const size = Math.abs(ms)
      if (size < 1000) return `${sign}${short(size, size < 10 ? 1 : 0)} ${u.ms}`
      if (size < 60_000) return `${sign}${short(size / 1000, size < 10_000 ? 2 : 1)}${gap}${u.s}`
      const total = Math.round(size / 1000)
      const pair = (big: number, bigUnit: string, little: number, littleUnit: string) =>
        sign + [`${big}${gap}${bigUnit}`, ...(little ? [`${little}${gap}${littleUnit}`] : [])].join(' ')
      if (total < 3600) return pair(Math.floor(total / 60), u.min, total % 60, u.s)
      if (total < 86_400) return pair(Math.floor(total / 3600), u.h, Math.floor((total % 3600) / 60), u.min)
      return pair(Math.floor(total / 86_400), u.d, Math.floor((total % 86_400) / 3600), u.h)
    },
    bytes(n) {
      const names = ['B', 'KiB', 'MiB', 'GiB', 'TiB']
      let size = n
      let i = 0
      while (Math.abs(size) >= 1024 && i < names.length - 1) {
        size /= 1024
        i++
      }
      return `${short(size, i === 0 || size >= 100 ? 0 : 1)} ${names[i]}`
    },
    list: (items) => list.format(items),
  }
}
