import { useEffect, useState } from 'react'
import { useRead } from '../api/query'
import { useI18n } from '../i18n'
import { useSession } from '../session'
import { KeyIcon, RouteIcon } from '../ui/icons'
import type { Command } from '../ui/Palette'

/** How many of each kind the palette offers; a longer list is the page's. */
const most = 6

const pathOf = (listen: unknown) => (listen as { path?: string } | undefined)?.path ?? ''

/** What the server knows for a text that rests: the APIs and the keys that the caller may see. */
export function useFound(text: string, go: (to: string) => void): Command[] {
  const { t } = useI18n()
  const { can } = useSession()
  const [q, setQ] = useState('')
  useEffect(() => {
    const timer = setTimeout(() => setQ(text.trim()), 120)
    return () => clearTimeout(timer)
  }, [text])
  const query = { q, limit: most }
  const apis = useRead('GET /apis', { query }, { enabled: q.length > 1 && can('apis:read') })
  const keys = useRead('GET /keys', { query }, { enabled: q.length > 1 && can('keys:read') })
  if (q.length < 2) return []
  // The text is among the words, since the server finds by what a line does not show, such as an upstream; what an
  // older text found must match by itself.
  const by = (old: boolean) => (old ? '' : q)
  return [
    ...(apis.data?.items ?? []).map(({ object }) => ({
      id: `api ${object.id}`,
      group: t('apis.title'),
      label: object.name,
      words: `${by(apis.isPlaceholderData)} ${object.id} ${pathOf(object.listen)}`,
      note: pathOf(object.listen),
      icon: RouteIcon,
      run: () => go(`/apis/${encodeURIComponent(object.id ?? '')}`),
    })),
    ...(keys.data?.items ?? []).map(({ id, alias, owner }) => ({
      id: `key ${id}`,
      group: t('titles.keys'),
      label: alias,
      words: `${by(keys.isPlaceholderData)} ${id} ${owner ?? ''}`,
      note: owner,
      icon: KeyIcon,
      run: () => go(`/keys/${encodeURIComponent(id)}`),
    })),
  ]
}
