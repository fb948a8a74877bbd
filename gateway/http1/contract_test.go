package http1_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/sluice-gateway/sluice/gateway/http1"
	"github.com/sluice-gateway/sluice/gateway/message"
	"github.com/sluice-gateway/sluice/gateway/message/messagetest"
)

func TestContract(t *testing.T) {
	messagetest.Run(t, func(t *testing.T, h message.Handler) messagetest.Server {
		_, addr := serve(t, h, http1.ServerConfig{NewID: func() string { return "id" }})
		tr := &http.Transport{DisableCompression: true, ExpectContinueTimeout: 5 * time.Second}
		t.Cleanup(tr.CloseIdleConnections)
		return messagetest.Server{URL: "http://" + addr, Client: &http.Client{Transport: tr}, Major: 1}
	})
}
