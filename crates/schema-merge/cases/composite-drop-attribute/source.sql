alter type address drop attribute zip;
