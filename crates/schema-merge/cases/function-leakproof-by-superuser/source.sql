reset role; alter function a(int) leakproof;
