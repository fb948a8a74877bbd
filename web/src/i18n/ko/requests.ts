import type { requests as en } from '../en/requests'
import type { Translation } from '../types'

export const requests: Translation<typeof en> = {
  title: '요청',
}
