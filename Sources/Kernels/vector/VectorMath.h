// VectorMath
