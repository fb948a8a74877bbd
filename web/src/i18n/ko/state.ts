import type { state as en } from '../en/state'
import type { Translation } from '../types'

export const state: Translation<typeof en> = {
  active: '동작 중',
  applied: '적용됨',
  behind: '뒤처짐',
  catchingUp: '따라가는 중',
  current: '최신',
  degraded: '기능 저하',
  disabled: '꺼짐',
  draining: '종료 준비 중',
  expired: '만료됨',
  offline: '오프라인',
  pending: '대기 중',
  rejected: '거부됨',
  revoked: '폐기됨',
  suspended: '정지됨',
  unknown: '알 수 없음',
}
