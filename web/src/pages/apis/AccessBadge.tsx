import type { Definition } from '../../api/schema'
import { accessOf } from '../../definition/read'
import { useI18n } from '../../i18n'
import { StatusPill } from '../../ui/Status'

/** What an API asks of callers; that it asks nothing is told in colour. */
export function AccessBadge({ definition }: { definition: Definition }) {
  const { t, find } = useI18n()
  const { open, methods } = accessOf(definition)
  if (open !== 'no') {
    const key = open === 'all' ? 'apis.open' : open === 'part' ? 'apis.openPart' : 'apis.openAnonymous'
    return (
      <StatusPill shape="ring" tone="warn">
        {t(key)}
      </StatusPill>
    )
  }
  return <span>{methods.map((m) => find(`apis.${m}`) ?? m).join(', ')}</span>
}
