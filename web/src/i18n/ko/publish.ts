import type { publish as en } from '../en/publish'
import type { Translation } from '../types'

export const publish: Translation<typeof en> = {
  failed: '리비전 {revision:으로/로} 저장했습니다. 어느 게이트웨이에 적용되었는지는 지금 확인할 수 없습니다.',
  gateways: '게이트웨이',
  howKeys: '대시보드의 키 폴더에서 {files} 파일을 게이트웨이의 키 폴더로 복사합니다.',
  howRedis: '{file} 파일의 {setting} 값을 이 대시보드가 쓰는 Redis로 지정합니다.',
  howStart: '{command} 명령으로 시작합니다. 구성은 스스로 불러옵니다.',
  late: '지금까지 게이트웨이 {applied}/{connected}에 적용됨 · 리비전 {revision}',
  lateHelp: '확인하지 않은 게이트웨이는 응답하는 즉시 스스로 적용하며, 그때까지 가진 구성으로 서비스합니다.',
  live: '게이트웨이 {applied}/{connected}에 적용됨 · 리비전 {revision}',
  liveIn: '게이트웨이 {applied}/{connected}에 적용됨 · 리비전 {revision} · {time}',
  look: '다시 확인',
  none: '저장했습니다. 연결된 게이트웨이가 없습니다.',
  noneHelp: '게이트웨이가 연결되는 즉시 적용됩니다. 연결 방법:',
  noReason: '이유를 알리지 않았습니다.',
  notSeen: '{name:이/가} 아직 확인하지 않았습니다(마지막 신호 {ago}).',
  notYet: '{name:이/가} 아직 확인하지 않았습니다.',
  notYetMore: '게이트웨이 {count}대가 더 확인하지 않았습니다.',
  othersLive: '다른 게이트웨이 {count}대에는 적용되었습니다.',
  reason: '{message} 객체 {id}, 코드 {code}.',
  reasonKept: '{message} 이전 버전이 계속 서비스합니다. 객체 {id}, 코드 {code}.',
  rejected: '게이트웨이 {count}대가 거부함 · 리비전 {revision}',
  rejectedHelp:
    '받아들일 때까지 이전 구성이 있으면 그것으로 서비스합니다. 이유에 나온 항목을 고쳐 다시 적용하고, 고칠 항목이 없으면 게이트웨이를 확인하십시오.',
  sending: '리비전 {revision:으로/로} 저장됨, 게이트웨이에 적용하는 중',
  toGateway: '{name} 보기',
  toGateways: '게이트웨이 보기',
  unpublished: '리비전 {revision:으로/로} 저장했지만 아직 적용되지 않았습니다.',
  unpublishedHelp:
    '게이트웨이로 가는 통로인 Redis가 지금 받지 않습니다. Redis가 돌아오면 자동으로 적용되고, 그때까지 게이트웨이는 가진 구성으로 서비스합니다.',
  waiting: '게이트웨이 {applied}/{connected}에 적용됨 · 리비전 {revision}, 나머지를 기다리는 중',
}
