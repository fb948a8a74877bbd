package record

// Entry is a record as it arrived from a gateway.
type Entry struct {
	ID    string // start-shard-sequence-index (spool/frame.Header.RecordID): the same at every delivery
	Node  string // id of the gateway
	Group string // its gateway group
	Record
}
