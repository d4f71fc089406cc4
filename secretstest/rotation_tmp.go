package secretstest

import "time"

type Rotation struct{}
type StepFault struct{}

func (r *Rotation) stopLocked()                                  {}
func (s *Server) stopRotationLocked(*content)                    {}
func (s *Server) planRotationLocked(*secret)                     {}
func (s *Server) valueChangedLocked(sec *secret, now time.Time)  {}
func (s *Server) labelsChangedLocked(sec *secret, now time.Time) {}
