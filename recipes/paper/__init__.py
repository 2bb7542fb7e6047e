"""The paper's claims as experiments on the embedded models: `make paper`."""
