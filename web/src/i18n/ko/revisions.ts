import type { revisions as en } from '../en/revisions'
import type { Translation } from '../types'

export const revisions: Translation<typeof en> = {
  title: '변경 이력',
}
