package explain

import (
	"testing"
	"time"
)

func TestStepsAreCountedAndNotesGoToTheNextOne(t *testing.T) {
	r := New(time.Unix(1, 0))
	r.Note(true, map[string]any{"a": 1})
	if !r.Changed() {
		t.Error("the change is not noted")
	}
	r.Step("shape", "headers", Changed, "", nil, 1500*time.Nanosecond)
	r.Step("shape", "identity", Pass, "", nil, 0)
	r.Lost("orders", "path", "/orders")
	if len(r.Steps) != 2 || r.Steps[0].Seq != 1 || r.Steps[0].Params["a"] != 1 || r.Steps[0].Micros != 1 || r.Steps[1].Params != nil || r.Changed() {
		t.Errorf("steps %+v", r.Steps)
	}
	if len(r.Candidates) != 1 || r.Candidates[0].WhyNot != "path" || r.Started() != time.Unix(1, 0) {
		t.Errorf("candidates %+v", r.Candidates)
	}
}

func TestARecorderThatIsNotThereRecordsNothing(t *testing.T) {
	var r *Recorder
	r.Step("a", "b", Pass, "", nil, 0)
	r.Lost("a", "b", "c")
	r.Note(true, nil)
	if r.Changed() || !r.Started().IsZero() {
		t.Error("something was recorded")
	}
}
