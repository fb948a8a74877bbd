package app

import (
	"github.com/prometheus/client_golang/prometheus"

	"github.com/sluice-gateway/sluice/gateway/serve/tunnel"
)

// tunnelCollector tells of WebSockets, other upgrades and TCP connections.
type tunnelCollector struct {
	sets        []*tunnel.Set
	open, ended *prometheus.Desc
}

var _ prometheus.Collector = (*tunnelCollector)(nil)

func newTunnelCollector(sets ...*tunnel.Set) *tunnelCollector {
	return &tunnelCollector{
		sets: sets,
		open: prometheus.NewDesc("sluice_gateway_tunnels", "Open WebSockets, other upgrades and TCP connections, by API or TCP listener.",
			[]string{"name"}, nil),
		ended: prometheus.NewDesc("sluice_gateway_tunnels_ended_total", "Tunnels that have ended, by reason.", []string{"reason"}, nil),
	}
}

// Describe sends the descriptors.
func (c *tunnelCollector) Describe(out chan<- *prometheus.Desc) {
	out <- c.open
	out <- c.ended
}

// Collect reads the counts.
func (c *tunnelCollector) Collect(out chan<- prometheus.Metric) {
	open, ended := map[string]int{}, map[tunnel.Reason]uint64{}
	for _, s := range c.sets {
		st := s.Stats()
		for name, n := range st.Open {
			open[name] += n
		}
		for why, n := range st.Ended {
			ended[why] += n
		}
	}
	for name, n := range open {
		out <- prometheus.MustNewConstMetric(c.open, prometheus.GaugeValue, float64(n), name)
	}
	for why, n := range ended {
		out <- prometheus.MustNewConstMetric(c.ended, prometheus.CounterValue, float64(n), string(why))
	}
}
