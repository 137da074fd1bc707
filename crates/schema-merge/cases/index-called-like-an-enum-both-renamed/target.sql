alter type state rename to states;
