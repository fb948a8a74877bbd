import { useQuery } from '@tanstack/react-query'
import { useConnection } from '../api/connection'
import { noticeKey } from '../api/query'
import type { NoticeEvent } from '../api/schema'
import { useI18n } from '../i18n'
import { AlertIcon, OfflineIcon } from '../ui/icons'
import css from './Shell.module.css'

/** What concerns every page: the server is away, or nothing can be published. */
export function Banners() {
  const { t, find } = useI18n()
  const { online, revision } = useConnection()
  const notice = useQuery<NoticeEvent | null>({
    queryKey: noticeKey,
    queryFn: () => null,
    staleTime: Number.POSITIVE_INFINITY,
  }).data
  // The notice is the server's own sentence; its code, in brackets, says the same in the reader's language.
  const code = /\((publish\.[a-z_]+)\)/.exec(notice?.error ?? '')?.[1]
  const reason = (code && find(`errors.${code}`)) ?? notice?.error ?? ''
  return (
    <div aria-live="polite">
      {!online && (
        <div className={css.banner}>
          <OfflineIcon size={17} aria-hidden />
          <span>{revision ? t('shell.disconnected', { revision: String(revision) }) : t('shell.disconnectedPlain')}</span>
          <span className="muted">{t('shell.waiting')}</span>
        </div>
      )}
      {online && notice && (
        <div className={css.banner}>
          <AlertIcon size={17} aria-hidden />
          <span>{t('shell.publishingBlocked', { reason })}</span>
        </div>
      )}
    </div>
  )
}
