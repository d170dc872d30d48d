namespace Unroll.Theory;

/// <summary>A matrix of doubles with the three products that forward and backward passes need.</summary>
public sealed class Matrix
{
    /// <summary>Makes a matrix of zeros, [rows, cols].</summary>
    /// <exception cref="ArgumentOutOfRangeException">A size is less than 1.</exception>
    public Matrix(int rows, int cols)
    {
        Shape.Positive(rows, nameof(rows));
        Shape.Positive(cols, nameof(cols));
        Rows = rows;
        Cols = cols;
        Values = new double[rows * cols];
    }

    Matrix() => Values = [];

    /// <summary>The matrix without elements, [0, 0]: a weight that a model does not have.</summary>
    internal static Matrix Empty { get; } = new();

    /// <summary>The number of rows.</summary>
    public int Rows { get; }

    /// <summary>The number of columns.</summary>
    public int Cols { get; }

    /// <summary>The elements, row after row, [rows · cols].</summary>
    public double[] Values { get; }

    /// <summary>The element in row <paramref name="r"/> and column <paramref name="c"/>.</summary>
    public double this[int r, int c]
    {
        get => Values[(r * Cols) + c];
        set => Values[(r * Cols) + c] = value;
    }

    /// <summary>Row <paramref name="r"/>, [cols]; writing to it writes to the matrix.</summary>
    public Span<double> Row(int r) => Values.AsSpan(r * Cols, Cols);

    /// <summary>Adds the product with a vector.</summary>
    /// <remarks><code>y += W x</code> x is [cols]; y is [rows] and is accumulated into.</remarks>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public void MultiplyAdd(ReadOnlySpan<double> x, Span<double> y)
    {
        Shape.Equal(Cols, x.Length, "length", nameof(x));
        Shape.Equal(Rows, y.Length, "length", nameof(y));
        for (var r = 0; r < Rows; r++)
        {
            for (var c = 0; c < Cols; c++)
                y[r] += this[r, c] * x[c];
        }
    }

    /// <summary>Adds the product of the transpose with a vector: how a gradient goes back through <see cref="MultiplyAdd"/>.</summary>
    /// <remarks><code>dX += Wᵀ dY</code> dY is [rows]; dX is [cols] and is accumulated into.</remarks>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public void TransposeMultiplyAdd(ReadOnlySpan<double> dY, Span<double> dX)
    {
        Shape.Equal(Rows, dY.Length, "length", nameof(dY));
        Shape.Equal(Cols, dX.Length, "length", nameof(dX));
        for (var r = 0; r < Rows; r++)
        {
            for (var c = 0; c < Cols; c++)
                dX[c] += this[r, c] * dY[r];
        }
    }

    /// <summary>Adds an outer product to this matrix: the gradient of the weight of <see cref="MultiplyAdd"/>.</summary>
    /// <remarks><code>dW += dY xᵀ</code> dY is [rows], x is [cols]; this matrix is dW and is accumulated into.</remarks>
    /// <exception cref="ArgumentException">A length does not fit.</exception>
    public void OuterProductAdd(ReadOnlySpan<double> dY, ReadOnlySpan<double> x)
    {
        Shape.Equal(Rows, dY.Length, "length", nameof(dY));
        Shape.Equal(Cols, x.Length, "length", nameof(x));
        for (var r = 0; r < Rows; r++)
        {
            for (var c = 0; c < Cols; c++)
                this[r, c] += dY[r] * x[c];
        }
    }

    /// <summary>The matrix with 1 on its diagonal and 0 elsewhere, [size, size].</summary>
    /// <exception cref="ArgumentOutOfRangeException">The size is less than 1.</exception>
    public static Matrix Identity(int size)
    {
        var identity = new Matrix(size, size);
        for (var k = 0; k < size; k++)
            identity[k, k] = 1;
        return identity;
    }

    /// <summary>The product with another matrix.</summary>
    /// <remarks><code>C = A B</code> This matrix is A, [rows, cols]; B is [cols, N]; C is [rows, N].</remarks>
    /// <exception cref="ArgumentException">B has another number of rows than this matrix has columns.</exception>
    public Matrix Times(Matrix other)
    {
        ArgumentNullException.ThrowIfNull(other);
        Shape.Equal(Cols, other.Rows, "rows", nameof(other));
        var product = new Matrix(Rows, other.Cols);
        for (var r = 0; r < Rows; r++)
            other.TransposeMultiplyAdd(Row(r), product.Row(r));
        return product;
    }

    /// <summary>The transposed matrix, [cols, rows].</summary>
    /// <remarks><code>Aᵀ[c, r] = A[r, c]</code></remarks>
    public Matrix Transposed()
    {
        var transposed = new Matrix(Cols, Rows);
        for (var r = 0; r < Rows; r++)
        {
            for (var c = 0; c < Cols; c++)
                transposed[c, r] = this[r, c];
        }

        return transposed;
    }

    /// <summary>A copy with every element multiplied by a number.</summary>
    /// <remarks><code>s A</code></remarks>
    public Matrix Scaled(double factor)
    {
        var scaled = new Matrix(Rows, Cols);
        for (var k = 0; k < Values.Length; k++)
            scaled.Values[k] = factor * Values[k];
        return scaled;
    }
}
