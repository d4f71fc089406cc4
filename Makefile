# FUZZTIME is how long make fuzz runs each fuzz test.
FUZZTIME ?= 20s

# SOAKFLAGS are flags of internal/integration/soak, such as -rotations 20.
SOAKFLAGS ?=

.PHONY: test bench soak fuzz lint explore mutants

# All tests of all modules. Installs the database servers they need where it
# can, and says loudly what it left out where it cannot.
test:
	@internal/tools/test.sh

# What a read costs, beside what others cost.
bench:
	@go run ./internal/bench

# Queries by the thousand while passwords rotate, on real servers.
soak:
	@internal/tools/soak.sh $(SOAKFLAGS)

# Each fuzz test of each module, for FUZZTIME.
fuzz:
	@FUZZTIME=$(FUZZTIME) internal/tools/fuzz.sh

# gofmt, vet, staticcheck, tidiness, dependencies.
lint:
	@internal/tools/lint.sh

# Every state of the larger models of the pure types: some minutes, 16 GB.
explore:
	@EXPLORE=full go test -timeout 60m -count=1 -v -run TestExplore ./internal/lease ./internal/identity

# Breaks each rule of the pure types on purpose; fails if no test notices.
mutants:
	@internal/tools/mutants.sh $(MUTANTS)
