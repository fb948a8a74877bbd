import type { keys as en } from '../en/keys'
import type { Translation } from '../types'

export const keys: Translation<typeof en> = {
  title: '키',
}
