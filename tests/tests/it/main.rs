//! Whole-cloud tests: everything here drives the built binaries over HTTP and looks at the machine afterwards.
