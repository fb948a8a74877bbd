package meter

import (
	"net/netip"
	"time"

	"github.com/sluice-gateway/sluice/pkg/record"
)

// Refused records a request that the engine answered by itself, because it is no
// well-formed request, came too slowly or is over a limit. Little is known of it.
// client is the peer of the connection, since nothing that the request says of
// proxies is believed.
func (m *Meter) Refused(status int, code, id string, client netip.Addr) {
	w := m.take()
	w.At, w.Org, w.Status, w.Refusal, w.RequestID = time.Now(), DefaultOrg, status, code, id
	if client.IsValid() {
		w.Client = record.Address(client, m.o.Address, m.o.Hash)
	}
	m.o.Spool.Add(&w.Record)
	m.give(w)
}
