# FUZZTIME is how long make fuzz runs each fuzz test.
FUZZTIME ?= 20s

# SOAKFLAGS are flags of internal/integration/soak, such as -rotations 20.
SOAKFLAGS ?=

# SEEDS is how many simulations make sim runs.
SEEDS ?= 1000

# MUTANTS are parts of names; make mutants tries the mutants that have one.
MUTANTS ?=

# The packages whose every state make explore visits.
explored = $(addprefix ./,$(wildcard $(addprefix internal/,lease rotation registry identity)))

.PHONY: help test bench soak fuzz explore sim mutants lint

# A target's line here is what follows its ##.
help: ## print this list
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-8s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

# Installs the database servers that the tests need where it can, and says
# loudly what it left out where it cannot.
test: ## all tests of all modules
	@internal/tools/test.sh

bench: ## what a read costs, beside what others cost
	@go run ./internal/bench

soak: ## queries by the thousand while passwords rotate, on real servers (SOAKFLAGS='-rotations 20')
	@internal/tools/soak.sh $(SOAKFLAGS)

fuzz: ## each fuzz test of each module, for FUZZTIME=20s
	@FUZZTIME=$(FUZZTIME) internal/tools/fuzz.sh

# The large models, which make test leaves out. They need 16 GB.
explore: ## every state of the pure types, in the largest models
	@$(if $(explored),EXPLORE=full go test -timeout 60m -count=1 -v -run Explore $(explored),echo 'no package to explore')

sim: ## SEEDS=1000 simulations of clients, rotations and faults
	@SIM_SEEDS=$(SEEDS) go test -count=1 -v -timeout 60m ./internal/sim

mutants: ## break each rule of the pure types; fail if no test notices (MUTANTS='lease:')
	@internal/tools/mutants.sh $(MUTANTS)

lint: ## gofmt, vet, staticcheck, tidiness, dependencies
	@internal/tools/lint.sh
