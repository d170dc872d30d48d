using Unroll.Tests.Theory;
using Unroll.Theory;

namespace Unroll.Tests.Book;

/// <summary>The equations of chapter 4, as they stand in the book.</summary>
public class Chapter04Tests
{
    const int T = 5, I = 2, H = 3, O = 2;
    const double Tolerance = 1e-12;

    public static TheoryData<RnnActivation> ActivationFunctions => [RnnActivation.Tanh, RnnActivation.Relu];

    [Theory]
    [MemberData(nameof(ActivationFunctions))]
    [Equation("4.1", "StateJacobian.Of")]
    public void Jacobian_EqualsBook_AndDifferences(RnnActivation activation)
    {
        var (cell, _, steps) = Run(activation);
        foreach (var step in steps)
        {
            var expected = Jacobian(cell, step);
            Close(expected, StateJacobian.Of(cell, step));
            double[] previous = [.. step.Previous.H];
            for (var j = 0; j < H; j++)
            {
                var row = GradientCheck.Numeric(() => cell.Forward(step.X, new CellState(previous)).State.H[j], previous);
                for (var m = 0; m < H; m++)
                    Assert.Equal(row[m], expected[j, m], 1e-7);
            }
        }
    }

    [Theory]
    [MemberData(nameof(ActivationFunctions))]
    [Equation("4.2", "StateJacobian.Across")]
    public void ProductOfJacobians_EqualsBook_AndDifferences(RnnActivation activation)
    {
        var (cell, x, steps) = Run(activation);
        for (var s = 0; s <= T; s++)
            Close(Across(cell, steps, s, T), StateJacobian.Across(cell, steps[s..]));

        double[] h0 = [.. steps[0].Previous.H];
        var product = Across(cell, steps, 0, T);
        for (var j = 0; j < H; j++)
        {
            var row = GradientCheck.Numeric(() => new Recurrent(cell).Forward(x, [[new CellState(h0)]]).Y[T - 1, 0, j], h0);
            for (var m = 0; m < H; m++)
                Assert.Equal(row[m], product[j, m], 1e-7);
        }
    }

    [Theory]
    [MemberData(nameof(ActivationFunctions))]
    [Equation("4.3", "Recurrent.Backward")]
    public void SumOverLaterOutputs_EqualsBackPropagation(RnnActivation activation)
    {
        var (cell, x, steps) = Run(activation);
        var random = new Random(7);
        var who = Draw.Matrix(random, O, H);
        var dY = Draw.Sequence(random, T, 1, O);
        var dH = new Sequence(T, 1, H);
        for (var t = 1; t <= T; t++)
        {
            for (var j = 0; j < H; j++)
            {
                for (var k = 0; k < O; k++)
                    dH[t - 1, 0, j] += who[k, j] * dY[t - 1, 0, k];
            }
        }

        for (var s = 1; s < T; s++)
        {
            var expected = new double[H];
            for (var t = s; t <= T; t++)
            {
                var across = Across(cell, steps, s, t);
                for (var m = 0; m < H; m++)
                {
                    for (var j = 0; j < H; j++)
                        expected[m] += across[j, m] * dH[t - 1, 0, j];
                }
            }

            // What the steps s + 1 … T send back to h_s as their initial state, and its own output.
            var layer = new Recurrent(cell);
            var cache = layer.Forward(Views.Steps(x, s, T), [[steps[s - 1].State]]);
            var fromLater = layer.Backward(cache, Views.Steps(dH, s, T)).DInitialStates[0][0].H;
            for (var m = 0; m < H; m++)
                Assert.Equal(expected[m], fromLater[m] + dH[s - 1, 0, m], Tolerance);
        }
    }

    [Theory]
    [InlineData(3, 3)]
    [InlineData(2, 3)]
    [InlineData(4, 3)]
    [Equation("4.4", "Spectrum.Norm")]
    public void Norm_IsLargestStretch(int rows, int cols)
    {
        var random = new Random(8);
        var a = Draw.Matrix(random, rows, cols);
        var norm = Spectrum.Norm(a);
        Assert.Equal(Math.Sqrt(LargestEigenvalue(Gram(a))), norm, Tolerance);

        var largest = 0.0;
        for (var n = 0; n < 20_000; n++)
        {
            var v = Draw.Vector(random, cols);
            var stretched = new double[rows];
            a.MultiplyAdd(v, stretched);
            largest = Math.Max(largest, Length(stretched) / Length(v));
        }

        Assert.InRange(largest, 0.99 * norm, norm * (1 + Tolerance));
        Assert.Equal(norm, Spectrum.Norm(a.Transposed()), Tolerance);
    }

    [Theory]
    [MemberData(nameof(ActivationFunctions))]
    [Equation("4.5", "StateJacobian.Bound")]
    public void Bound_EqualsBook_AndHolds(RnnActivation activation)
    {
        var (cell, _, steps) = Run(activation);
        var norm = Math.Sqrt(LargestEigenvalue(Gram(cell.Parameters.WeightHh)));
        var bound = 1.0;
        for (var r = 1; r <= T; r++)
        {
            var steepest = 0.0;
            for (var j = 0; j < H; j++)
                steepest = Math.Max(steepest, Slope(cell, steps[r - 1].A[j]));
            bound *= steepest * norm;
            Assert.Equal(bound, StateJacobian.Bound(cell, steps[..r]), Tolerance);
            Assert.True(Spectrum.Norm(StateJacobian.Across(cell, steps[..r])) <= bound * (1 + Tolerance));
        }
    }

    [Fact]
    [Equation("4.6", "Spectrum.Radius")]
    public void Radius_IsLargestEigenvalue_AndLimitOfRoots()
    {
        var q = Draw.Matrix(new Random(9), 3, 3);
        foreach (var (middle, expected, tolerance) in new (double[] Values, double Radius, double Tolerance)[]
        {
            ([0.9, 0, 0, 0, -1.2, 0, 0, 0, 0.3], 1.2, 1e-12),
            ([0.6, -0.8, 0, 0.8, 0.6, 0, 0, 0, 0.5], 1, 1e-12),   // 0.6 ± 0.8 i
            ([0.7, 1, 0, 0, 0.7, 0, 0, 0, 0.2], 0.7, 1e-5),         // one eigenvector for 0.7 twice: rounding moves it by about √10⁻¹⁶
        })
        {
            var a = Similar(q, middle);
            Assert.Equal(expected, Spectrum.Radius(a), tolerance);
            Assert.True(Spectrum.Radius(a) <= Spectrum.Norm(a) * (1 + Tolerance));

            // ‖A^k‖^(1/k) for k = 2¹⁰, without the code's scaling.
            var power = a;
            for (var m = 0; m < 10; m++)
                power = Product(power, power);
            Assert.Equal(expected, Math.Pow(Length(power.Values), 1.0 / 1024), 0.02);
        }

        var nilpotent = new Matrix(2, 2);
        nilpotent[0, 1] = 2;
        Assert.Equal(0, Spectrum.Radius(nilpotent));
        Assert.Equal(2, Spectrum.Norm(nilpotent), Tolerance);
        Assert.Throws<ArgumentException>(() => Spectrum.Radius(new Matrix(2, 3)));
    }

    [Fact]
    [Equation("4.7", "UpdateRules.ClipByGlobalNorm")]
    [Equation("4.8", "UpdateRules.ClipByGlobalNorm")]
    public void Clipping_EqualsBook()
    {
        var random = new Random(10);
        double[][] Tensors() => [Draw.Vector(random, 6), Draw.Vector(random, 9), Draw.Vector(random, 3)];
        foreach (var (share, clips) in new[] { (1.01, false), (0.3, true) })
        {
            var g = Tensors();
            var sum = 0.0;
            foreach (var tensor in g)
            {
                foreach (var element in tensor)
                    sum += element * element;
            }

            var norm = Math.Sqrt(sum);
            var c = share * norm;
            double[][] clipped = [.. g.Select(tensor => tensor.ToArray())];
            Assert.Equal(norm, UpdateRules.ClipByGlobalNorm(clipped, c), Tolerance);
            for (var n = 0; n < g.Length; n++)
            {
                for (var k = 0; k < g[n].Length; k++)
                    Assert.Equal(clips ? c / (norm + 1e-6) * g[n][k] : g[n][k], clipped[n][k], Tolerance);
            }
        }
    }

    [Fact]
    [Equation("4.9", "InitialWeights.Orthonormal")]
    public void Orthogonal_EqualsBook_AndKeepsLengths()
    {
        const int N = 6;
        var g = Draw.Matrix(new Random(11), N, N);
        var q = new double[N, N];
        for (var i = 0; i < N; i++)
        {
            var u = g.Row(i).ToArray();
            for (var k = 0; k < i; k++)
            {
                var share = 0.0;
                for (var j = 0; j < N; j++)
                    share += q[k, j] * g[i, j];
                for (var j = 0; j < N; j++)
                    u[j] -= share * q[k, j];
            }

            for (var j = 0; j < N; j++)
                q[i, j] = u[j] / Length(u);
        }

        var orthogonal = InitialWeights.Orthonormal(g);
        for (var i = 0; i < N; i++)
        {
            for (var j = 0; j < N; j++)
                Assert.Equal(q[i, j], orthogonal[i, j], 1e-11);
        }

        Close(Matrix.Identity(N), orthogonal.Transposed().Times(orthogonal));
        var v = Draw.Vector(new Random(12), N);
        var turned = new double[N];
        orthogonal.MultiplyAdd(v, turned);
        Assert.Equal(Length(v), Length(turned), Tolerance);
        Assert.Equal(1.5, Spectrum.Norm(orthogonal.Scaled(1.5)), Tolerance);
        Assert.Equal(1.5, Spectrum.Radius(orthogonal.Scaled(1.5)), Tolerance);
    }

    /// <summary>A cell with distinct weights and its steps; some of the rectifiers are cut off and some are not.</summary>
    static (RnnCell Cell, Sequence X, RnnCache[] Steps) Run(RnnActivation activation)
    {
        var random = new Random(6);
        var cell = new RnnCell(I, H, activation);
        Draw.Parameters(random, [cell]);
        var x = Draw.Sequence(random, T, 1, I);
        var state = new CellState(Draw.Vector(random, H));
        var steps = new RnnCache[T];
        for (var t = 0; t < T; t++)
        {
            steps[t] = cell.Forward(x[t, 0], state);
            state = steps[t].State;
        }

        return (cell, x, steps);
    }

    static double Slope(RnnCell cell, double a) =>
        cell.Activation == RnnActivation.Relu ? (a > 0 ? 1 : 0) : 1 / Math.Pow(Math.Cosh(a), 2);

    static Matrix Jacobian(RnnCell cell, RnnCache step)
    {
        var jacobian = new Matrix(H, H);
        for (var j = 0; j < H; j++)
        {
            for (var m = 0; m < H; m++)
                jacobian[j, m] = Slope(cell, step.A[j]) * cell.Parameters.WeightHh[j, m];
        }

        return jacobian;
    }

    /// <summary>J_t J_{t−1} ⋯ J_{s+1}, multiplied from the left to the right.</summary>
    static Matrix Across(RnnCell cell, RnnCache[] steps, int s, int t)
    {
        var product = Product(Matrix.Identity(H), Matrix.Identity(H));
        for (var r = t; r > s; r--)
            product = Product(product, Jacobian(cell, steps[r - 1]));
        return product;
    }

    static Matrix Product(Matrix a, Matrix b)
    {
        var product = new Matrix(a.Rows, b.Cols);
        for (var r = 0; r < a.Rows; r++)
        {
            for (var c = 0; c < b.Cols; c++)
            {
                for (var k = 0; k < a.Cols; k++)
                    product[r, c] += a[r, k] * b[k, c];
            }
        }

        return product;
    }

    /// <summary>Aᵀ A of three columns.</summary>
    static Matrix Gram(Matrix a)
    {
        var gram = new Matrix(a.Cols, a.Cols);
        for (var r = 0; r < a.Cols; r++)
        {
            for (var c = 0; c < a.Cols; c++)
            {
                for (var k = 0; k < a.Rows; k++)
                    gram[r, c] += a[k, r] * a[k, c];
            }
        }

        return gram;
    }

    /// <summary>The largest root of λ³ − tr λ² + m λ − det of a symmetric matrix [3, 3], by Newton's method from above, where it cannot miss.</summary>
    static double LargestEigenvalue(Matrix a)
    {
        var trace = a[0, 0] + a[1, 1] + a[2, 2];
        var minors = (a[0, 0] * a[1, 1]) - (a[0, 1] * a[1, 0]) + (a[0, 0] * a[2, 2]) - (a[0, 2] * a[2, 0]) + (a[1, 1] * a[2, 2]) - (a[1, 2] * a[2, 1]);
        var root = trace;
        for (var k = 0; k < 200; k++)
        {
            var value = (((((root - trace) * root) + minors) * root) - Determinant(a)) / ((((3 * root) - (2 * trace)) * root) + minors);
            root -= value;
        }

        return root;
    }

    static double Determinant(Matrix a) =>
        (a[0, 0] * ((a[1, 1] * a[2, 2]) - (a[1, 2] * a[2, 1])))
        - (a[0, 1] * ((a[1, 0] * a[2, 2]) - (a[1, 2] * a[2, 0])))
        + (a[0, 2] * ((a[1, 0] * a[2, 1]) - (a[1, 1] * a[2, 0])));

    /// <summary>Q M Q⁻¹ with the inverse by cofactors, [3, 3]: a matrix with the eigenvalues of M.</summary>
    static Matrix Similar(Matrix q, double[] middle)
    {
        var inverse = new Matrix(3, 3);
        for (var r = 0; r < 3; r++)
        {
            for (var c = 0; c < 3; c++)
            {
                double At(int row, int col) => q[(row + 3) % 3, (col + 3) % 3];
                inverse[c, r] = ((At(r + 1, c + 1) * At(r + 2, c + 2)) - (At(r + 1, c + 2) * At(r + 2, c + 1))) / Determinant(q);
            }
        }

        var m = new Matrix(3, 3);
        middle.CopyTo(m.Values, 0);
        return Product(Product(q, m), inverse);
    }

    static double Length(double[] v) => Math.Sqrt(v.Sum(value => value * value));

    static void Close(Matrix expected, Matrix actual)
    {
        Assert.Equal((expected.Rows, expected.Cols), (actual.Rows, actual.Cols));
        for (var k = 0; k < expected.Values.Length; k++)
            Assert.Equal(expected.Values[k], actual.Values[k], Tolerance);
    }
}
