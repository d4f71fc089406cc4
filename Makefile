# FUZZTIME is how long make fuzz runs each fuzz test.
FUZZTIME ?= 20s

# SOAKFLAGS are flags of internal/integration/soak, such as -rotations 20.
SOAKFLAGS ?=

# SEEDS is how many histories make sim runs.
SEEDS ?= 1000

# MUTANTS chooses mutants whose names contain it.
MUTANTS ?=

# RELEASE names the file that make bench-record writes.
RELEASE ?= next

.PHONY: help test awscli bench bench-record soak fuzz lint explore sim mutants

help:
	@echo 'make test     every test of every module, on real databases too'
	@echo 'make awscli   the fake, walked through by the AWS CLI: a minute'
	@echo 'make lint     gofmt, vet, staticcheck, tidiness, dependencies, builds, API'
	@echo 'make bench    what a read costs, and how that differs from the last release'
	@echo 'make bench-record RELEASE=v0.2.0   keeps what a release costs'
	@echo 'make explore  every state of larger models of the pure types: some minutes'
	@echo 'make sim      SEEDS=$(SEEDS) simulated histories, each read checked'
	@echo 'make mutants  break each rule on purpose; MUTANTS=rotation for some'
	@echo 'make fuzz     each fuzz test for FUZZTIME=$(FUZZTIME)'
	@echo 'make soak     queries while passwords rotate; SOAKFLAGS=-rotations 20 for a short one'

# All tests of all modules. Installs the database servers they need where it
# can, and says loudly what it left out where it cannot.
test:
	@internal/tools/test.sh

# The fake, walked through by the AWS CLI, which takes half a second a command.
awscli:
	@SECRETSTEST_AWSCLI=1 go test -count=1 -run AWSCLI ./secretstest/fakeserver

# What a read costs, beside what others cost, and beside the last release.
bench:
	@internal/tools/bench.sh

# The samples of a release, for later ones to be compared with: on an idle machine.
bench-record:
	@go run ./internal/bench -record internal/bench/releases/$(RELEASE).txt

# Queries by the thousand while passwords rotate, on real servers.
soak:
	@internal/tools/soak.sh $(SOAKFLAGS)

# Each fuzz test of each module, for FUZZTIME.
fuzz:
	@FUZZTIME=$(FUZZTIME) internal/tools/fuzz.sh

# gofmt, vet, staticcheck, tidiness, dependencies, builds, API.
lint:
	@internal/tools/lint.sh

# Every state of the larger models of the pure types: some minutes, 16 GB.
explore:
	@EXPLORE=full go test -timeout 60m -count=1 -v -run TestExplore ./internal/region ./internal/lease ./internal/identity ./internal/rotation

# Simulated days of a client and a service with faults, from SEEDS seeds. The tag
# and the flag let a seed decide the client's own chance too, so that it repeats.
sim:
	@SIM_SEEDS=$(SEEDS) go test -count=1 -v -timeout 60m -tags simseed -ldflags=-checklinkname=0 -run '^TestSimulation$$' ./internal/sim

# Breaks each rule of the pure types on purpose; fails if no test notices.
mutants:
	@internal/tools/mutants.sh $(MUTANTS)
