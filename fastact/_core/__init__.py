"""What every public function is made of: the contract, arguments, the choice of a backend, threads, warming up."""
