import type { diff as en } from '../en/diff'
import type { Translation } from '../types'

export const diff: Translation<typeof en> = {
  added: '{what}: {after} 추가',
  changed: '{what}: {before} → {after}',
  created: '{name} 생성',
  deleted: '{name} 삭제',
  disabled: '사용 중지',
  emptyText: '빈 값',
  enabled: '사용 시작',
  filter_off: '{what}: 끔',
  filter_on: '{what}: 켬',
  filterOnWith: '{what}: 켬, 설정 {after}',
  item: '{n}번째',
  more: '외 {count}건. JSON에 모두 있습니다',
  moved: '{what}: {from}번째에서 {to}번째로 이동',
  no: '꺼짐',
  nothing: '없음',
  removed: '{what}: {before} 삭제',
  same: '공백, 필드 순서, 기본값 표기 등 쓰는 방식만 바뀌었습니다.',
  secret_added: '{what}: 비밀 값 설정',
  secret_removed: '{what}: 비밀 값 삭제',
  secret_replaced: '{what}: 비밀 값 교체',
  unreadable: '문서가 서로 다르지만 하나를 읽을 수 없습니다.',
  yes: '켜짐',
}
