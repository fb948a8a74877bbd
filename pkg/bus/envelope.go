package bus

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/sluice-gateway/sluice/pkg/fault"
	"github.com/sluice-gateway/sluice/pkg/notice"
	"github.com/sluice-gateway/sluice/pkg/trust"
)

const envelopeVersion = 1

// What messages are authenticated for.
const (
	noticeDomain  = "bus notice"
	commandDomain = "bus command"
	replyDomain   = "bus reply"
)

// Why a message is dropped.
var (
	errForged    = errors.New("forged message")
	errMalformed = errors.New("malformed message")
)

// envelope is a notice on the wire: a MAC (32 bytes), then this in JSON.
type envelope struct {
	V       int             `json:"v"`
	Kind    notice.Kind     `json:"kind"`
	Node    string          `json:"node,omitempty"` // who sent it
	Time    int64           `json:"time"`           // Unix milliseconds
	Nonce   string          `json:"nonce"`
	Payload json.RawMessage `json:"payload"`
}

func encodeNotice(k *trust.Keys, channel string, e envelope) ([]byte, error) {
	body, err := json.Marshal(e)
	if err != nil {
		return nil, fmt.Errorf("encode a notice: %w", err)
	}
	return append(k.MAC(noticeDomain, []byte(channel), body), body...), nil
}

func decodeNotice(k *trust.Keys, channel string, msg []byte) (envelope, error) {
	if len(msg) <= trust.MACSize || len(msg) > MaxMessage {
		return envelope{}, errMalformed
	}
	body := msg[trust.MACSize:]
	if !k.CheckMAC(noticeDomain, msg[:trust.MACSize], []byte(channel), body) {
		return envelope{}, errForged
	}
	var e envelope
	if err := json.Unmarshal(body, &e); err != nil || e.V != envelopeVersion || e.Nonce == "" {
		return envelope{}, errMalformed
	}
	return e, nil
}

// command is a request on the wire: sealed, and in it a signature and this in JSON.
type command struct {
	V       int             `json:"v"`
	Command notice.Command  `json:"command"`
	Node    string          `json:"node"`     // whom it is for
	Asker   string          `json:"asker"`    // where the reply goes
	Time    int64           `json:"time"`     // Unix milliseconds by the asker's clock
	Budget  int64           `json:"budgetMs"` // until the asker's deadline
	Nonce   string          `json:"nonce"`
	Payload json.RawMessage `json:"payload"`
}

func encodeCommand(k *trust.Keys, c command) ([]byte, error) {
	body, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode a command: %w", err)
	}
	sig := k.Sign(commandDomain, body)
	if sig == nil {
		return nil, fault.New(fault.Denied, "bus.not_allowed",
			"this process has no signing key, so nodes take no commands from it; send them from a dashboard")
	}
	return k.SealBus(commandDomain, append(sig, body...))
}

func decodeCommand(k *trust.Keys, msg []byte) (command, error) {
	if len(msg) > MaxMessage {
		return command{}, errMalformed
	}
	plain, err := k.OpenBus(commandDomain, msg)
	if err != nil || len(plain) < trust.SignatureSize {
		return command{}, errForged
	}
	sig, body := plain[:trust.SignatureSize], plain[trust.SignatureSize:]
	if !k.Verify(commandDomain, body, sig) {
		return command{}, errForged
	}
	var c command
	if err := json.Unmarshal(body, &c); err != nil || c.V != envelopeVersion || c.Nonce == "" || c.Asker == "" || c.Budget <= 0 {
		return command{}, errMalformed
	}
	return c, nil
}

// reply answers a command: sealed JSON. Accepted comes at once, the rest when the
// handler returned.
type reply struct {
	V        int             `json:"v"`
	Nonce    string          `json:"nonce"` // of the command
	Node     string          `json:"node"`
	Asker    string          `json:"asker"`
	Accepted bool            `json:"accepted,omitempty"`
	Fault    *wireFault      `json:"fault,omitempty"`
	Payload  json.RawMessage `json:"payload,omitempty"`
}

func encodeReply(k *trust.Keys, r reply) ([]byte, error) {
	body, err := json.Marshal(r)
	if err != nil {
		return nil, fmt.Errorf("encode a reply: %w", err)
	}
	return k.SealBus(replyDomain, body)
}

func decodeReply(k *trust.Keys, msg []byte) (reply, error) {
	if len(msg) > MaxMessage {
		return reply{}, errMalformed
	}
	body, err := k.OpenBus(replyDomain, msg)
	if err != nil {
		return reply{}, errForged
	}
	var r reply
	if err := json.Unmarshal(body, &r); err != nil || r.V != envelopeVersion || r.Nonce == "" {
		return reply{}, errMalformed
	}
	return r, nil
}

// wireFault is a fault without its cause, which stays on the node.
type wireFault struct {
	Kind     fault.Kind      `json:"kind"`
	Code     fault.Code      `json:"code"`
	Message  string          `json:"message"`
	Params   map[string]any  `json:"params,omitempty"`
	Problems []fault.Problem `json:"problems,omitempty"`
	Retry    int             `json:"retry,omitempty"`
}

func toWire(f *fault.Fault) *wireFault {
	return &wireFault{Kind: f.Kind, Code: f.Code, Message: f.Message, Params: f.Params, Problems: f.Problems, Retry: f.Retry}
}

func (w *wireFault) fault() *fault.Fault {
	return &fault.Fault{Kind: w.Kind, Code: w.Code, Message: w.Message, Params: w.Params, Problems: w.Problems, Retry: w.Retry}
}

// age is how far a message's time lies from now, either way.
func age(millis int64, now time.Time) time.Duration {
	return now.Sub(time.UnixMilli(millis)).Abs()
}
